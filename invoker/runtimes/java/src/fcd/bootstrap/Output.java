package fcd.bootstrap;

import java.io.OutputStream;
import java.util.Arrays;

/** What a stream handler writes its result to. Closing it changes nothing; what comes after the answer is lost. */
final class Output extends OutputStream {
    private byte[] bytes = new byte[1024];
    private int size;

    @Override
    public synchronized void write(int b) {
        grow(1);
        bytes[size++] = (byte) b;
    }

    @Override
    public synchronized void write(byte[] b, int from, int length) {
        if (from < 0 || length < 0 || length > b.length - from) {
            throw new IndexOutOfBoundsException("from " + from + ", length " + length + " of " + b.length + " bytes");
        }
        grow(length);
        System.arraycopy(b, from, bytes, size, length);
        size += length;
    }

    private void grow(int more) {
        if (more > bytes.length - size) {
            bytes = Arrays.copyOf(bytes, (int) Math.min(Integer.MAX_VALUE - 8L, Math.max(2L * bytes.length, (long) size + more)));
        }
    }

    /** The result so far. Later writes go elsewhere. */
    synchronized Answer answer() {
        Answer answer = new Answer(Frames.RESULT, null, bytes, size);
        bytes = new byte[0];
        size = 0;
        return answer;
    }
}
