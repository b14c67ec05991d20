package fcd.bootstrap;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.util.concurrent.locks.LockSupport;

/**
 * One of the log pipes. It does not close and does not fail: a daemon that is gone is no reason for the function to.
 */
final class RawStream extends OutputStream {
    /** So many bytes the system writes whole or not at all (PIPE_BUF). */
    private static final int WHOLE = 4096;

    private final FileOutputStream pipe;

    RawStream(FileDescriptor fd) {
        pipe = new FileOutputStream(fd);
    }

    @Override
    public void write(int b) {
        write(new byte[] {(byte) b}, 0, 1);
    }

    @Override
    public synchronized void write(byte[] b, int from, int length) {
        for (int at = 0; at < length; at += WHOLE) {
            writeWhole(b, from + at, Math.min(WHOLE, length - at));
        }
    }

    /** Tries again where a child process has made the shared pipe non-blocking: the daemon always reads. */
    private void writeWhole(byte[] b, int from, int length) {
        for (;;) {
            try {
                pipe.write(b, from, length);
                return;
            } catch (IOException failed) {
                String why = failed.getMessage();
                if (why == null || !why.contains("temporarily unavailable")) {
                    return;
                }
                LockSupport.parkNanos(1000000);
            }
        }
    }

    @Override
    public void close() {
        // The pipe is not the user's to close.
    }
}
