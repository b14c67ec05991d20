package fcd.bootstrap;

import java.io.BufferedInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/** The frame pipes. read is the main thread's alone. */
final class Frames {
    static final int HELLO = 1;
    static final int INIT = 2;
    static final int INVOKE = 3;
    static final int PRESTOP = 4;
    static final int PREFREEZE = 5;
    static final int READY = 16;
    static final int RESULT = 17;
    static final int UNHANDLED = 19;

    private static final int MAX_TOTAL = 64 << 20;
    private static final int MAX_HEADER = 1 << 20;
    private static final int PRELUDE = 9; // total, type, length of the header
    private static final int JOIN = 1 << 16; // bodies up to here travel in one write with their header

    /** The longest result that fits a frame beside its header. */
    static final int MAX_BODY = MAX_TOTAL - 5 - 1024;

    private final InputStream in;
    private final OutputStream out;
    private final byte[] prelude = new byte[PRELUDE];
    private byte[] joined = new byte[4096];

    Frames() throws IOException {
        in = new BufferedInputStream(Descriptors.input(3), JOIN);
        out = Descriptors.output(4);
    }

    /** One frame as read. */
    static final class Frame {
        final int type;
        final byte[] body;
        private final byte[] header;

        Frame(int type, byte[] header, byte[] body) {
            this.type = type;
            this.header = header;
            this.body = body;
        }

        Map<String, Object> header() {
            return Json.object(Json.parse(new String(header, StandardCharsets.UTF_8)));
        }
    }

    /** Waits for the next frame; null at the end of the pipe. */
    Frame read() throws IOException {
        int first = in.read();
        if (first < 0) {
            return null;
        }
        prelude[0] = (byte) first;
        fill(prelude, 1);
        int total = number(0);
        int headerLength = number(5);
        if (total < 0 || total > MAX_TOTAL || headerLength < 0 || headerLength > MAX_HEADER || total - 5 < headerLength) {
            throw new IOException("a frame of " + total + " bytes with a header of " + headerLength);
        }
        byte[] header = new byte[headerLength];
        fill(header, 0);
        byte[] body = new byte[total - 5 - headerLength];
        fill(body, 0);
        return new Frame(prelude[4], header, body);
    }

    private void fill(byte[] to, int at) throws IOException {
        while (at < to.length) {
            int n = in.read(to, at, to.length - at);
            if (n < 0) {
                throw new EOFException("the pipe ended inside a frame");
            }
            at += n;
        }
    }

    private int number(int at) {
        return (prelude[at] & 0xff) << 24 | (prelude[at + 1] & 0xff) << 16 | (prelude[at + 2] & 0xff) << 8 | prelude[at + 3] & 0xff;
    }

    /** Writes a frame with the first size bytes of body. */
    synchronized void write(int type, Map<String, Object> header, byte[] body, int size) throws IOException {
        byte[] head = Json.write(header).getBytes(StandardCharsets.UTF_8);
        boolean small = size <= JOIN;
        int length = PRELUDE + head.length + (small ? size : 0);
        if (joined.length < length) {
            joined = new byte[Math.max(length, 2 * joined.length)];
        }
        put(0, 5 + head.length + size);
        joined[4] = (byte) type;
        put(5, head.length);
        System.arraycopy(head, 0, joined, PRELUDE, head.length);
        if (small) {
            System.arraycopy(body, 0, joined, PRELUDE + head.length, size);
        }
        out.write(joined, 0, length);
        if (!small) {
            out.write(body, 0, size);
        }
    }

    private void put(int at, int value) {
        joined[at] = (byte) (value >>> 24);
        joined[at + 1] = (byte) (value >>> 16);
        joined[at + 2] = (byte) (value >>> 8);
        joined[at + 3] = (byte) value;
    }
}
