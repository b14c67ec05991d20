package fcd.bootstrap;

/** Marks, on both log pipes, where a request's output begins and ends. The token stays here. */
final class Fences {
    private final byte[] token;
    private final Log log;

    Fences(String hex, Log log) {
        token = new byte[hex.length() / 2];
        for (int i = 0; i < token.length; i++) {
            token[i] = (byte) Integer.parseInt(hex.substring(2 * i, 2 * i + 2), 16);
        }
        this.log = log;
    }

    void write(char mark, String id) {
        byte[] fence = fence(mark, id);
        log.flush();
        log.writeOut(fence);
        log.writeErr(fence);
    }

    /** The first length bytes between labels that give them to a request. */
    byte[] labelled(byte[] bytes, int length, String id) {
        byte[] before = fence('L', id);
        byte[] after = fence('U', id);
        byte[] all = new byte[before.length + length + after.length];
        System.arraycopy(before, 0, all, 0, before.length);
        System.arraycopy(bytes, 0, all, before.length, length);
        System.arraycopy(after, 0, all, before.length + length, after.length);
        return all;
    }

    private byte[] fence(char mark, String id) {
        byte[] fence = new byte[token.length + id.length() + 3];
        int n = 1;
        System.arraycopy(token, 0, fence, n, token.length);
        n += token.length;
        fence[n++] = (byte) mark;
        for (int i = 0; i < id.length(); i++) {
            fence[n++] = (byte) id.charAt(i);
        }
        fence[n] = '\n';
        return fence;
    }
}
