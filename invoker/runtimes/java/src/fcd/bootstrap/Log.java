package fcd.bootstrap;

import com.aliyun.fc.runtime.FunctionComputeLogger;

import java.io.BufferedOutputStream;
import java.io.FileDescriptor;
import java.io.PrintStream;
import java.io.UnsupportedEncodingException;
import java.nio.charset.StandardCharsets;

/** The log pipes, System.out and System.err on them, and the lines that carry time, request id and level. */
final class Log implements FunctionComputeLogger {
    private static final int MAX_ERROR = 262144;
    private static final String TRUNCATED = "... Truncated by FunctionCompute";

    private final RawStream rawOut = new RawStream(FileDescriptor.out);
    private final RawStream rawErr = new RawStream(FileDescriptor.err);
    volatile String last = ""; // the request that began last, also after its end: what is written late carries its id
    final ThreadLocal<String> own = new ThreadLocal<String>(); // the thread's request, where several are in flight
    volatile boolean bracket;

    private Fences labels; // null with one request at a time
    private PrintStream out;
    private PrintStream err;
    private volatile int least; // ordinal of the lowest level that is written

    void install() throws UnsupportedEncodingException {
        out = stream(rawOut);
        err = stream(rawErr);
        System.setOut(out);
        System.setErr(err);
    }

    private static PrintStream stream(RawStream raw) throws UnsupportedEncodingException {
        return new PrintStream(new BufferedOutputStream(raw, 8192), true, "UTF-8");
    }

    /** Lets several requests write in turn from now on. */
    void share(Fences fences) throws UnsupportedEncodingException {
        flush();
        labels = fences;
        out = new PrintStream(new Shared.Lines(rawOut, this), false, "UTF-8");
        err = new PrintStream(new Shared.Lines(rawErr, this), false, "UTF-8");
        System.setOut(out);
        System.setErr(err);
    }

    /** Writes what belongs to the thread's request, in one go. */
    void record(RawStream raw, byte[] bytes, int length) {
        String id = requestId();
        if (labels == null || id.isEmpty()) {
            raw.write(bytes, 0, length);
            return;
        }
        byte[] all = labels.labelled(bytes, length, id);
        raw.write(all, 0, all.length);
    }

    private String requestId() {
        String id = labels == null ? null : own.get();
        return id == null ? last : id;
    }

    /** Lets everything out that is printed so far, also by what the user put in the place of System.out. */
    void flush() {
        flush(System.out);
        flush(System.err);
        flush(out);
        flush(err);
    }

    private static void flush(PrintStream stream) {
        try {
            stream.flush();
        } catch (RuntimeException broken) {
            return; // it is the user's own
        }
    }

    /** Writes the error that is answered, as one record, whatever the level. */
    void answered(String json) {
        boolean fits = json.codePointCount(0, json.length()) <= MAX_ERROR;
        line("ERROR", fits ? json : json.substring(0, json.offsetByCodePoints(0, MAX_ERROR)) + TRUNCATED);
    }

    private void line(String level, String text) {
        StringBuilder line = new StringBuilder(64 + text.length());
        Clock.append(line, System.currentTimeMillis());
        line.append(' ').append(requestId()).append(' ');
        if (bracket) {
            line.append('[').append(level).append(']');
        } else {
            line.append(level);
        }
        line.append(' ').append(text.replace('\n', '\r')).append('\n');
        byte[] bytes = line.toString().getBytes(StandardCharsets.UTF_8);
        synchronized (out) {
            flush(out);
            record(rawOut, bytes, bytes.length);
        }
    }

    /**
     * Writes behind all that is printed so far, and not into the midst of a line: Java 8 prints a line and its end apart, under
     * the stream's lock.
     */
    void writeOut(byte[] bytes) {
        write(out, rawOut, bytes);
    }

    /** What writeOut does, for standard error. */
    void writeErr(byte[] bytes) {
        write(err, rawErr, bytes);
    }

    private static void write(PrintStream printed, RawStream raw, byte[] bytes) {
        synchronized (printed) {
            flush(printed);
            raw.write(bytes, 0, bytes.length);
        }
    }

    private void write(Level level, String text) {
        if (level.ordinal() >= least) {
            line(level.name(), String.valueOf(text));
        }
    }

    @Override
    public void trace(String text) {
        write(Level.TRACE, text);
    }

    @Override
    public void debug(String text) {
        write(Level.DEBUG, text);
    }

    @Override
    public void info(String text) {
        write(Level.INFO, text);
    }

    @Override
    public void warn(String text) {
        write(Level.WARN, text);
    }

    @Override
    public void error(String text) {
        write(Level.ERROR, text);
    }

    @Override
    public void fatal(String text) {
        write(Level.FATAL, text);
    }

    @Override
    public void setLogLevel(Level level) {
        least = level.ordinal();
    }
}
