package fcd.http;

import java.io.ByteArrayOutputStream;
import java.io.OutputStreamWriter;
import java.io.PrintWriter;
import java.io.UnsupportedEncodingException;
import java.util.Locale;
import javax.servlet.ServletOutputStream;
import javax.servlet.WriteListener;
import javax.servlet.http.Cookie;
import javax.servlet.http.HttpServletResponse;

/** The answer as a servlet makes it. */
final class Response extends Answers {
    private final Names headers = new Names();
    private final Output output = new Output();
    private int status = 200;
    private String encoding;
    private PrintWriter writer;

    HttpServletResponse servlet() {
        return as(HttpServletResponse.class);
    }

    Object[] answer() {
        if (writer != null) {
            writer.flush();
        }
        return new Object[] {status, headers.map(), output.bytes.toByteArray()};
    }

    @Override
    Object answer(String method, Object[] args) throws Exception {
        String name = args.length > 0 && args[0] instanceof String ? (String) args[0] : null;
        switch (method) {
            case "setStatus": status = (Integer) args[0]; return null;
            case "getStatus": return status;
            case "sendError": error((Integer) args[0], args.length > 1 ? (String) args[1] : ""); return null;
            case "sendRedirect": status = 302; headers.set("Location", name); return null;
            case "setHeader": headers.set(name, (String) args[1]); return null;
            case "addHeader": headers.add(name, (String) args[1]); return null;
            case "setIntHeader": headers.set(name, args[1].toString()); return null;
            case "addIntHeader": headers.add(name, args[1].toString()); return null;
            case "setDateHeader": headers.set(name, Names.date((Long) args[1])); return null;
            case "addDateHeader": headers.add(name, Names.date((Long) args[1])); return null;
            case "containsHeader": return headers.has(name);
            case "getHeader": return headers.first(name);
            case "getHeaders": return headers.all(name);
            case "getHeaderNames": return headers.names();
            case "addCookie": headers.add("Set-Cookie", text((Cookie) args[0])); return null;
            case "setContentType": headers.set("Content-Type", name); return null;
            case "getContentType": return headers.first("Content-Type");
            case "setCharacterEncoding": encoding = name; return null;
            case "getCharacterEncoding": return charset();
            case "getOutputStream": return output;
            case "getWriter": return writer();
            case "reset": headers.clear(); status = 200; output.bytes.reset(); return null;
            case "resetBuffer": output.bytes.reset(); return null;
            case "encodeURL": case "encodeRedirectURL": case "encodeUrl": case "encodeRedirectUrl": return name;
            case "getLocale": return Locale.getDefault();
            default: return NOTHING;
        }
    }

    private void error(int code, String message) throws UnsupportedEncodingException {
        status = code;
        output.bytes.reset();
        headers.set("Content-Type", "text/plain; charset=utf-8");
        byte[] text = message.getBytes("UTF-8");
        output.bytes.write(text, 0, text.length);
    }

    private String charset() {
        String type = headers.first("Content-Type");
        int at = type == null ? -1 : type.toLowerCase(Locale.ROOT).indexOf("charset=");
        if (encoding == null && at >= 0) {
            return type.substring(at + 8).split(";", 2)[0].replace("\"", "").trim();
        }
        return encoding == null ? "UTF-8" : encoding;
    }

    private PrintWriter writer() throws UnsupportedEncodingException {
        if (writer == null) {
            writer = new PrintWriter(new OutputStreamWriter(output, charset()));
        }
        return writer;
    }

    private static String text(Cookie c) {
        StringBuilder s = new StringBuilder(c.getName()).append('=').append(c.getValue());
        if (c.getPath() != null) {
            s.append("; Path=").append(c.getPath());
        }
        if (c.getDomain() != null) {
            s.append("; Domain=").append(c.getDomain());
        }
        if (c.getMaxAge() >= 0) {
            s.append("; Max-Age=").append(c.getMaxAge());
        }
        if (c.getSecure()) {
            s.append("; Secure");
        }
        return s.append(c.isHttpOnly() ? "; HttpOnly" : "").toString();
    }

    /** The body. */
    private static final class Output extends ServletOutputStream {
        final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

        @Override
        public void write(int b) {
            bytes.write(b);
        }

        @Override
        public void write(byte[] b, int from, int length) {
            bytes.write(b, from, length);
        }

        @Override
        public boolean isReady() {
            return true;
        }

        @Override
        public void setWriteListener(WriteListener listener) {
            throw new UnsupportedOperationException("the body is collected");
        }
    }
}
