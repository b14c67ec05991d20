package fcd.bootstrap;

import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/** What a request is answered with: the first size bytes of body. */
final class Answer {
    final int type; // of the frame
    final String kind; // the class of an error, null for a result
    final byte[] body;
    final int size;
    private final Map<String, Object> more; // of the frame's header

    Answer(int type, String kind, byte[] body, int size) {
        this(type, kind, body, size, Collections.<String, Object>emptyMap());
    }

    private Answer(int type, String kind, byte[] body, int size, Map<String, Object> more) {
        this.type = type;
        this.kind = kind;
        this.body = body;
        this.size = size;
        this.more = more;
    }

    static Answer result(byte[] body) {
        return new Answer(Frames.RESULT, null, body, body.length);
    }

    /** The result of an HTTP call, as HttpCall gives it. */
    static Answer http(Object[] answer) {
        Map<String, Object> more = new LinkedHashMap<String, Object>();
        more.put("status", answer[0]);
        more.put("headers", answer[1]);
        byte[] body = (byte[]) answer[2];
        return new Answer(Frames.RESULT, null, body, body.length, more);
    }

    /** The header of the frame that answers a request. */
    Map<String, Object> header(String id) {
        Map<String, Object> header = new LinkedHashMap<String, Object>();
        header.put("id", id);
        if (kind != null) {
            header.put("class", kind);
        }
        header.putAll(more);
        return header;
    }

    static Answer unhandled(String kind, String json) {
        byte[] body = json.getBytes(StandardCharsets.UTF_8);
        return new Answer(Frames.UNHANDLED, kind, body, body.length);
    }

    String text() {
        return new String(body, 0, size, StandardCharsets.UTF_8);
    }
}
