package fcd.bootstrap;

import java.nio.charset.StandardCharsets;

/** What a request is answered with: the first size bytes of body. */
final class Answer {
    final int type; // of the frame
    final String kind; // the class of an error, null for a result
    final byte[] body;
    final int size;

    Answer(int type, String kind, byte[] body, int size) {
        this.type = type;
        this.kind = kind;
        this.body = body;
        this.size = size;
    }

    static Answer result(byte[] body) {
        return new Answer(Frames.RESULT, null, body, body.length);
    }

    static Answer unhandled(String kind, String json) {
        byte[] body = json.getBytes(StandardCharsets.UTF_8);
        return new Answer(Frames.UNHANDLED, kind, body, body.length);
    }

    String text() {
        return new String(body, 0, size, StandardCharsets.UTF_8);
    }
}
