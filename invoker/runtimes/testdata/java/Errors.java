package example;

import com.aliyun.fc.runtime.Context;
import com.aliyun.fc.runtime.PreStopHandler;
import com.aliyun.fc.runtime.StreamRequestHandler;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;

/** Functions that fail, each in its own way. */
public class Errors {
    public static class Cause implements StreamRequestHandler {
        @Override
        public void handleRequest(InputStream input, OutputStream output, Context context) {
            deeper();
        }

        private static void deeper() {
            throw new IllegalStateException("outside", new IOException("inside"));
        }
    }

    public static class NoMessage implements StreamRequestHandler {
        @Override
        public void handleRequest(InputStream input, OutputStream output, Context context) {
            throw new UnsupportedOperationException();
        }
    }

    public static class CauseWithoutMessage implements StreamRequestHandler {
        @Override
        public void handleRequest(InputStream input, OutputStream output, Context context) {
            throw new RuntimeException("outside", new UnsupportedOperationException());
        }
    }

    public static class Lines implements StreamRequestHandler {
        @Override
        public void handleRequest(InputStream input, OutputStream output, Context context) throws IOException {
            throw new IOException("one\n\ttwo \"\u00e9\" \\ \u0001 \ud83d\ude00");
        }
    }

    public static class Mine extends Exception {
        @Override
        public String getMessage() {
            throw new IllegalStateException("hidden");
        }
    }

    public static class Unshowable implements StreamRequestHandler {
        @Override
        public void handleRequest(InputStream input, OutputStream output, Context context) {
            Errors.<RuntimeException>sneak(new Mine());
        }
    }

    @SuppressWarnings("unchecked")
    static <T extends Throwable> void sneak(Throwable t) throws T {
        throw (T) t;
    }

    public static class AnError implements StreamRequestHandler {
        @Override
        public void handleRequest(InputStream input, OutputStream output, Context context) {
            throw new OutOfMemoryError("by the user");
        }
    }

    public static class Static extends Text {
        static {
            if (true) {
                throw new IllegalStateException("in a static block");
            }
        }

        @Override
        String answer(String event, Context context) {
            return event;
        }
    }

    public static class Constructor extends Text {
        public Constructor() {
            throw new IllegalStateException("in a constructor");
        }

        @Override
        String answer(String event, Context context) {
            return event;
        }
    }

    public static class Parameters extends Text {
        public Parameters(int n) {
        }

        @Override
        String answer(String event, Context context) {
            return event;
        }
    }

    public static class NeedsGone implements StreamRequestHandler {
        @Override
        public void handleRequest(InputStream input, OutputStream output, Context context) {
            new Gone();
        }
    }

    public static class ExtendsGone extends Gone implements StreamRequestHandler {
        @Override
        public void handleRequest(InputStream input, OutputStream output, Context context) {
        }
    }

    public static class OtherKind implements PreStopHandler {
        @Override
        public void preStop(Context context) {
        }
    }

    public static class Deep implements StreamRequestHandler {
        @Override
        public void handleRequest(InputStream input, OutputStream output, Context context) {
            handleRequest(input, output, context);
        }
    }
}
