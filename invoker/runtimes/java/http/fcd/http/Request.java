package fcd.http;

import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.InputStreamReader;
import java.io.UnsupportedEncodingException;
import java.net.URLDecoder;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Enumeration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import javax.servlet.ReadListener;
import javax.servlet.ServletInputStream;
import javax.servlet.http.Cookie;
import javax.servlet.http.HttpServletRequest;

/** The request as a servlet sees it. Attributes FC_REQUEST_PATH, FC_REQUEST_URI and FC_REQUEST_CLIENT_IP are the service's. */
final class Request extends Answers {
    private static final String FORM = "application/x-www-form-urlencoded";

    private final Map<String, Object> http;
    private final byte[] body;
    private final Names headers = new Names();
    private final Map<String, Object> attributes = new LinkedHashMap<String, Object>();
    private final Input input;
    private String encoding;
    private Map<String, String[]> parameters;
    private BufferedReader reader;

    Request(Map<String, Object> http, byte[] body) {
        this.http = http;
        this.body = body;
        input = new Input(body);
        for (Map.Entry<String, List<String>> e : lists(http.get("headersMap")).entrySet()) {
            for (String value : e.getValue()) {
                headers.add(e.getKey(), value);
            }
        }
        attributes.put("FC_REQUEST_PATH", text("path"));
        attributes.put("FC_REQUEST_URI", text("requestURI"));
        attributes.put("FC_REQUEST_CLIENT_IP", text("clientIP"));
    }

    HttpServletRequest servlet() {
        return as(HttpServletRequest.class);
    }

    private String text(String name) {
        Object value = http.get(name);
        return value == null ? "" : value.toString();
    }

    @SuppressWarnings("unchecked")
    private static Map<String, List<String>> lists(Object value) {
        return value == null ? Collections.<String, List<String>>emptyMap() : (Map<String, List<String>>) value;
    }

    @Override
    Object answer(String method, Object[] args) throws Exception {
        String name = args.length > 0 && args[0] instanceof String ? (String) args[0] : null;
        switch (method) {
            case "getMethod": return text("method");
            case "getRequestURI": return text("requestURI").split("\\?", 2)[0];
            case "getRequestURL": return new StringBuffer("http://" + text("host") + text("requestURI").split("\\?", 2)[0]);
            case "getQueryString": return query();
            case "getPathInfo": return text("path");
            case "getContextPath": case "getServletPath": return "";
            case "getHeader": return headers.first(name);
            case "getHeaders": return Collections.enumeration(headers.all(name));
            case "getHeaderNames": return Collections.enumeration(headers.names());
            case "getIntHeader": return headers.has(name) ? Integer.parseInt(headers.first(name).trim()) : -1;
            case "getDateHeader": return headers.has(name) ? Names.date(headers.first(name)) : -1L;
            case "getCookies": return cookies();
            case "getParameter": return parameters().containsKey(name) ? parameters().get(name)[0] : null;
            case "getParameterValues": return parameters().get(name);
            case "getParameterNames": return Collections.enumeration(parameters().keySet());
            case "getParameterMap": return Collections.unmodifiableMap(parameters());
            case "getInputStream": return input;
            case "getReader": return reader();
            case "getContentType": return headers.first("content-type");
            case "getContentLength": return body.length;
            case "getContentLengthLong": return (long) body.length;
            case "getCharacterEncoding": return encoding();
            case "setCharacterEncoding": encoding = name; return null;
            case "getAttribute": return attributes.get(name);
            case "getAttributeNames": return Collections.enumeration(new ArrayList<String>(attributes.keySet()));
            case "setAttribute": attributes.put(name, args[1]); return null;
            case "removeAttribute": attributes.remove(name); return null;
            case "getRemoteAddr": case "getRemoteHost": return text("clientIP");
            case "getServerName": return text("host").split(":", 2)[0];
            case "getServerPort": return port();
            case "getScheme": return "http";
            case "getProtocol": return "HTTP/1.1";
            case "getLocale": return Locale.getDefault();
            case "getLocales": return Collections.enumeration(Collections.singleton(Locale.getDefault()));
            case "getSession": case "startAsync": case "getParts": case "getPart": case "upgrade":
                throw new UnsupportedOperationException(method + " is not offered to functions");
            default: return NOTHING;
        }
    }

    private String query() {
        String[] parts = text("requestURI").split("\\?", 2);
        return parts.length < 2 ? null : parts[1];
    }

    private int port() {
        String[] parts = text("host").split(":", 2);
        return parts.length < 2 ? 80 : Integer.parseInt(parts[1]);
    }

    private String encoding() {
        String type = headers.first("content-type");
        int at = type == null ? -1 : type.toLowerCase(Locale.ROOT).indexOf("charset=");
        if (encoding == null && at >= 0) {
            return type.substring(at + 8).split(";", 2)[0].replace("\"", "").trim();
        }
        return encoding;
    }

    private BufferedReader reader() throws UnsupportedEncodingException {
        if (reader == null) {
            reader = new BufferedReader(new InputStreamReader(input, encoding() == null ? "UTF-8" : encoding()));
        }
        return reader;
    }

    private Map<String, String[]> parameters() throws UnsupportedEncodingException {
        if (parameters == null) {
            Map<String, List<String>> all = new LinkedHashMap<String, List<String>>(lists(http.get("queriesMap")));
            String type = headers.first("content-type");
            if (type != null && type.toLowerCase(Locale.ROOT).startsWith(FORM)) {
                for (String part : new String(body, "UTF-8").split("&")) {
                    addField(all, part);
                }
            }
            parameters = new LinkedHashMap<String, String[]>();
            for (Map.Entry<String, List<String>> e : all.entrySet()) {
                parameters.put(e.getKey(), e.getValue().toArray(new String[0]));
            }
        }
        return parameters;
    }

    private static void addField(Map<String, List<String>> all, String part) throws UnsupportedEncodingException {
        if (part.isEmpty()) {
            return;
        }
        String[] pair = part.split("=", 2);
        String name = URLDecoder.decode(pair[0], "UTF-8");
        List<String> values = new ArrayList<String>(all.containsKey(name) ? all.get(name) : Collections.<String>emptyList());
        values.add(pair.length < 2 ? "" : URLDecoder.decode(pair[1], "UTF-8"));
        all.put(name, values);
    }

    private Cookie[] cookies() {
        List<Cookie> all = new ArrayList<Cookie>();
        Enumeration<String> lines = Collections.enumeration(headers.all("cookie"));
        while (lines.hasMoreElements()) {
            for (String part : lines.nextElement().split(";")) {
                String[] pair = part.trim().split("=", 2);
                if (pair.length == 2 && !pair[0].isEmpty()) {
                    all.add(new Cookie(pair[0], pair[1]));
                }
            }
        }
        return all.isEmpty() ? null : all.toArray(new Cookie[0]);
    }

    /** The body. */
    private static final class Input extends ServletInputStream {
        private final ByteArrayInputStream bytes;

        Input(byte[] body) {
            bytes = new ByteArrayInputStream(body);
        }

        @Override
        public int read() {
            return bytes.read();
        }

        @Override
        public int read(byte[] b, int from, int length) {
            return bytes.read(b, from, length);
        }

        @Override
        public int available() {
            return bytes.available();
        }

        @Override
        public boolean isFinished() {
            return bytes.available() == 0;
        }

        @Override
        public boolean isReady() {
            return true;
        }

        @Override
        public void setReadListener(ReadListener listener) {
            throw new UnsupportedOperationException("the body is there already");
        }
    }
}
