package fcd.bootstrap;

import java.io.OutputStream;
import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ThreadFactory;

/**
 * Serves several requests at a time, each on a thread of its own. No fences stand around them: records carry labels with
 * the id of their request.
 */
final class Shared {
    private final Main main;
    private final Function function;
    private final Log log;
    private final ExecutorService threads = Executors.newCachedThreadPool(new Daemons());

    Shared(Main main, Function function, Log log) {
        this.main = main;
        this.function = function;
        this.log = log;
    }

    /** The threads of requests hold up no end of the process. */
    private static final class Daemons implements ThreadFactory {
        @Override
        public Thread newThread(Runnable work) {
            Thread thread = new Thread(work, "request");
            thread.setDaemon(true);
            return thread;
        }
    }

    void start(final Frames.Frame frame) {
        final Map<String, Object> request = frame.header();
        function.take(request); // in the order the requests come
        log.last = Json.text(request, "id");
        threads.execute(new Runnable() {
            @Override
            public void run() {
                serve(frame, request);
            }
        });
    }

    private void serve(Frames.Frame frame, Map<String, Object> request) {
        String id = Json.text(request, "id");
        log.own.set(id);
        try {
            Answer answer = main.answer(frame, request);
            log.flush();
            main.write(id, answer);
        } catch (Throwable broken) {
            System.err.println("fcd: the bootstrap ended: " + broken);
            System.err.flush();
            Runtime.getRuntime().halt(1);
        } finally {
            log.own.remove();
        }
    }

    /** What stands behind System.out and System.err: each thread writes whole lines, of its own request. */
    static final class Lines extends OutputStream {
        private static final int MAX_REST = 32768;

        private final RawStream raw;
        private final Log log;
        private final ThreadLocal<byte[]> rest = new ThreadLocal<byte[]>();

        Lines(RawStream raw, Log log) {
            this.raw = raw;
            this.log = log;
        }

        @Override
        public void write(int b) {
            write(new byte[] {(byte) b}, 0, 1);
        }

        @Override
        public void write(byte[] b, int from, int length) {
            byte[] before = rest.get();
            int kept = before == null ? 0 : before.length;
            byte[] all = new byte[kept + length];
            if (kept > 0) {
                System.arraycopy(before, 0, all, 0, kept);
            }
            System.arraycopy(b, from, all, kept, length);
            int end = all.length;
            while (end > 0 && all[end - 1] != '\n' && all.length <= MAX_REST) {
                end--;
            }
            if (end > 0) {
                log.record(raw, all, end);
            }
            if (end == all.length) {
                rest.remove();
            } else {
                rest.set(Arrays.copyOfRange(all, end, all.length));
            }
        }

        /** Lets go of a part of a line: at the end of a request, or when the function wants it out. */
        @Override
        public void flush() {
            byte[] left = rest.get();
            if (left != null) {
                rest.remove();
                log.record(raw, left, left.length);
            }
        }
    }
}
