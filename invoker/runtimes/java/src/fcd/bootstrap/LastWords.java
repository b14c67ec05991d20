package fcd.bootstrap;

import java.util.List;
import java.util.Map;

/**
 * Runs as the process ends. When a SIGTERM ends it under a running request, stderr shows what every thread is doing: the
 * request took too long.
 */
final class LastWords extends Thread {
    volatile boolean busy;

    private final Log log;

    LastWords(Log log) {
        this.log = log;
    }

    @Override
    public void run() {
        if (busy) {
            Map<Thread, StackTraceElement[]> all = Thread.getAllStackTraces();
            if (terminated(all)) {
                print(all);
            }
        }
        log.flush();
    }

    /** Tells whether a signal ends the process, by the thread that the machine starts for it. */
    private static boolean terminated(Map<Thread, StackTraceElement[]> all) {
        for (Thread t : all.keySet()) {
            if (t.getName().equals("SIGTERM handler")) {
                return true;
            }
        }
        return false;
    }

    private static void print(Map<Thread, StackTraceElement[]> all) {
        StringBuilder text = new StringBuilder();
        for (Map.Entry<Thread, StackTraceElement[]> e : all.entrySet()) {
            List<String> frames = Failure.frames(e.getValue());
            if (!ofUser(e.getValue())) {
                continue;
            }
            text.append("Thread ").append(e.getKey().getName()).append(" (").append(e.getKey().getState()).append("):\n");
            for (String frame : frames) {
                text.append("  at ").append(frame).append('\n');
            }
        }
        System.err.print(text);
    }

    private static boolean ofUser(StackTraceElement[] stack) {
        for (StackTraceElement frame : stack) {
            String name = frame.getClassName();
            if (!name.startsWith("java.") && !name.startsWith("jdk.") && !name.startsWith("sun.") && !name.startsWith("fcd.bootstrap.")) {
                return true;
            }
        }
        return false;
    }
}
