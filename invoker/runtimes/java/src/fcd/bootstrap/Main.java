package fcd.bootstrap;

import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Runs inside the sandbox: takes requests as frames from fd 3, calls the user's class, answers on fd 4. fd 1 and 2 are
 * log pipes. Compiled for Java 8, it runs on every later version as well. What runs before the first request uses no
 * lambda, no String.format and no regular expression: each costs an instance's start tens of milliseconds.
 */
public final class Main {
    private final Frames frames;
    private final Log log;
    private final LastWords lastWords;
    private Fences fences;
    private Function function;
    private Shared shared; // null with one request at a time

    private Main(Frames frames, Log log, LastWords lastWords) {
        this.frames = frames;
        this.log = log;
        this.lastWords = lastWords;
    }

    public static void main(String[] args) {
        try {
            Log log = new Log();
            log.install();
            LastWords lastWords = new LastWords(log);
            Runtime.getRuntime().addShutdownHook(lastWords);
            Main main = new Main(new Frames(), log, lastWords);
            main.ready();
            main.loop();
        } catch (Throwable broken) {
            System.err.println("fcd: the bootstrap ended: " + broken);
            System.err.flush();
            Runtime.getRuntime().halt(1);
        }
        System.exit(0); // the daemon closed the pipe: this life is over
    }

    private void ready() throws IOException {
        Map<String, Object> header = new LinkedHashMap<String, Object>();
        header.put("v", 1);
        header.put("pid", Descriptors.pid());
        header.put("version", System.getProperty("java.version"));
        frames.write(Frames.READY, header, new byte[0], 0);
    }

    private void loop() throws IOException {
        for (;;) {
            Frames.Frame frame = frames.read();
            if (frame == null) {
                return;
            }
            if (frame.type == Frames.HELLO && function == null) {
                bind(frame.header());
            } else if (frame.type >= Frames.INIT && frame.type <= Frames.PREFREEZE && function != null) {
                if (shared != null) {
                    lastWords.busy = true;
                    shared.start(frame);
                    continue;
                }
                serve(frame);
            }
        }
    }

    private void bind(Map<String, Object> hello) throws IOException {
        fences = new Fences(Json.text(hello, "token"), log);
        hello.remove("token");
        log.bracket = "bracket".equals(Json.text(hello, "logStyle"));
        function = new Function(hello, log);
        if (Json.number(hello, "concurrency") > 1) {
            log.share(fences);
            shared = new Shared(this, function, log);
        }
    }

    private void serve(Frames.Frame frame) throws IOException {
        Map<String, Object> request = frame.header();
        String id = Json.text(request, "id");
        function.take(request);
        log.last = id;
        fences.write('S', id);
        lastWords.busy = true;
        Answer answer = answer(frame, request);
        lastWords.busy = false;
        write(id, answer); // the answer is waited for, the end fences are not
        fences.write('E', id);
    }

    /** Runs a request and logs its error. */
    Answer answer(Frames.Frame frame, Map<String, Object> request) {
        Answer answer = function.serve(frame.type, request, frame.body);
        if (answer.size > Frames.MAX_BODY) {
            answer = Failure.plain("result of " + answer.size + " bytes exceeds the maximum of " + Frames.MAX_BODY);
        }
        if (answer.type == Frames.UNHANDLED) {
            log.answered(answer.text());
        }
        return answer;
    }

    void write(String id, Answer answer) throws IOException {
        frames.write(answer.type, answer.header(id), answer.body, answer.size);
    }
}
