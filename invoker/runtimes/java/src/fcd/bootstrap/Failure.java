package fcd.bootstrap;

import java.lang.reflect.InvocationTargetException;
import java.util.ArrayList;
import java.util.List;

/** Errors as JSON, in the form that Function Compute gives those of Java. */
final class Failure {
    static final String GENERAL = "FunctionUnhandledError";
    static final String IMPORT = "ImportModuleError";
    static final String NO_HANDLER = "HandlerNotFound";

    private static final String OURS = "fcd.bootstrap.";

    private Failure() {
    }

    /** An error that is known by its text alone. */
    static Answer plain(String message) {
        return plain(GENERAL, message);
    }

    static Answer plain(String kind, String message) {
        StringBuilder json = new StringBuilder("{\n");
        field(json, "errorMessage", message);
        return Answer.unhandled(kind, json.append("\n}").toString());
    }

    /** An error in finding the handler: its text, type and cause are known, its place says nothing. */
    static Answer load(LoadFailure failure) {
        if (failure.type == null) {
            return plain(failure.kind, failure.getMessage());
        }
        StringBuilder json = head(failure.getMessage(), failure.type, failure.cause);
        return Answer.unhandled(failure.kind, json.append("\n}").toString());
    }

    static Answer thrown(String kind, Throwable error) {
        Throwable shown = unwrap(error);
        StringBuilder json = head(message(shown), shown.getClass().getName(), cause(shown));
        json.append(",\n  \"stackTrace\" : [ ");
        List<String> frames = frames(shown);
        for (int i = 0; i < frames.size(); i++) {
            Json.quote(i > 0 ? json.append(", ") : json, frames.get(i));
        }
        return Answer.unhandled(kind, json.append(frames.isEmpty() ? "]\n}" : " ]\n}").toString());
    }

    private static StringBuilder head(String message, String type, String cause) {
        StringBuilder json = new StringBuilder("{\n");
        field(json, "errorMessage", message);
        field(json.append(",\n"), "errorType", type);
        field(json.append(",\n"), "errorCause", cause);
        return json;
    }

    private static void field(StringBuilder json, String key, String value) {
        json.append("  \"").append(key).append("\" : ");
        if (value == null) {
            json.append("null");
        } else {
            Json.quote(json, value);
        }
    }

    /** The user's own error behind those that the machine puts around it. */
    private static Throwable unwrap(Throwable error) {
        while ((error instanceof ExceptionInInitializerError || error instanceof InvocationTargetException) && error.getCause() != null) {
            error = error.getCause();
        }
        return error;
    }

    private static String message(Throwable error) {
        try {
            return error.getMessage();
        } catch (Throwable second) {
            return "the error cannot be shown: its text throws " + second.getClass().getName();
        }
    }

    /** The text of the innermost cause; of the error itself when it has none. */
    private static String cause(Throwable error) {
        Throwable last = error;
        for (int depth = 0; last.getCause() != null && depth < 100; depth++) { // causes may go round
            last = last.getCause();
        }
        String message = message(last);
        return message == null && last != error ? last.getClass().getName() : message;
    }

    /** The frames of the user and of what the user called. */
    private static List<String> frames(Throwable error) {
        return frames(error.getStackTrace());
    }

    static List<String> frames(StackTraceElement[] stack) {
        List<String> frames = new ArrayList<String>();
        boolean ours = false;
        for (int i = stack.length - 1; i >= 0; i--) {
            String name = stack[i].getClassName();
            boolean between = ours && (name.contains(".reflect.") || name.equals("java.lang.Class"));
            ours = name.startsWith(OURS) || between;
            if (!ours) {
                frames.add(0, show(stack[i]));
            }
        }
        return frames;
    }

    /** A frame as Java 8 shows it: later versions put the module in front. */
    private static String show(StackTraceElement frame) {
        StringBuilder s = new StringBuilder(frame.getClassName()).append('.').append(frame.getMethodName()).append('(');
        if (frame.isNativeMethod()) {
            return s.append("Native Method)").toString();
        }
        if (frame.getFileName() == null) {
            return s.append("Unknown Source)").toString();
        }
        s.append(frame.getFileName());
        if (frame.getLineNumber() >= 0) {
            s.append(':').append(frame.getLineNumber());
        }
        return s.append(')').toString();
    }
}
