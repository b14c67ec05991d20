package fcd.bootstrap;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * JSON as plain objects: Map, List, String, Integer, Long, BigInteger, BigDecimal, Boolean, null. The parser takes what
 * the standard says and nothing else.
 */
final class Json {
    static final int MAX_DEPTH = 1000;

    private final String text;
    private int at;

    private Json(String text) {
        this.text = text;
    }

    // ---- reading

    /** The value that a text is. Throws IllegalArgumentException, which says where it is none. */
    static Object parse(String text) {
        Json json = new Json(text);
        json.blanks();
        Object value = json.value(0);
        json.blanks();
        if (json.at < text.length()) {
            throw json.wrong("the end");
        }
        return value;
    }

    private IllegalArgumentException wrong(String wanted) {
        String found = at < text.length() ? "'" + text.charAt(at) + "'" : "the end";
        return new IllegalArgumentException("not JSON: expected " + wanted + " at character " + (at + 1) + ", found " + found);
    }

    private char peek() {
        return at < text.length() ? text.charAt(at) : 0;
    }

    private void blanks() {
        while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) {
            at++;
        }
    }

    private boolean skip(char c) {
        if (at < text.length() && text.charAt(at) == c) {
            at++;
            return true;
        }
        return false;
    }

    private void need(char c) {
        if (!skip(c)) {
            throw wrong("'" + c + "'");
        }
    }

    private Object value(int depth) {
        if (depth > MAX_DEPTH) {
            throw new IllegalArgumentException("not JSON: nested deeper than " + MAX_DEPTH);
        }
        switch (peek()) {
            case '{':
                return map(depth);
            case '[':
                return list(depth);
            case '"':
                return string();
            case 't':
                return word("true", Boolean.TRUE);
            case 'f':
                return word("false", Boolean.FALSE);
            case 'n':
                return word("null", null);
            default:
                return number();
        }
    }

    private Object word(String word, Object value) {
        if (!text.startsWith(word, at)) {
            throw wrong("a value");
        }
        at += word.length();
        return value;
    }

    private Map<String, Object> map(int depth) {
        Map<String, Object> map = new LinkedHashMap<String, Object>();
        need('{');
        blanks();
        if (skip('}')) {
            return map;
        }
        do {
            blanks();
            String key = string();
            blanks();
            need(':');
            blanks();
            map.put(key, value(depth + 1));
            blanks();
        } while (skip(','));
        need('}');
        return map;
    }

    private List<Object> list(int depth) {
        List<Object> list = new ArrayList<Object>();
        need('[');
        blanks();
        if (skip(']')) {
            return list;
        }
        do {
            blanks();
            list.add(value(depth + 1));
            blanks();
        } while (skip(','));
        need(']');
        return list;
    }

    private String string() {
        need('"');
        int end = at;
        while (end < text.length() && text.charAt(end) != '"' && text.charAt(end) != '\\' && text.charAt(end) >= ' ') {
            end++;
        }
        StringBuilder s = new StringBuilder(text.substring(at, end));
        at = end;
        while (!skip('"')) {
            char c = peek();
            if (c < ' ') {
                throw wrong("a character of a string");
            }
            at++;
            s.append(c == '\\' ? escaped() : c);
        }
        return s.toString();
    }

    private char escaped() {
        int i = "\"\\/bfnrt".indexOf(peek());
        if (peek() == 'u') {
            at++;
            return hex();
        }
        if (i < 0 || peek() == 0) {
            throw wrong("an escape");
        }
        at++;
        return "\"\\/\b\f\n\r\t".charAt(i);
    }

    private char hex() {
        int value = 0;
        for (int i = 0; i < 4; i++) {
            int digit = peek() < 128 ? Character.digit(peek(), 16) : -1;
            if (digit < 0) {
                throw wrong("a hexadecimal digit");
            }
            value = value << 4 | digit;
            at++;
        }
        return (char) value;
    }

    private Number number() {
        int begin = at;
        skip('-');
        if (!skip('0')) {
            digits();
        }
        boolean whole = true;
        if (skip('.')) {
            whole = false;
            digits();
        }
        if (peek() == 'e' || peek() == 'E') {
            whole = false;
            at++;
            if (!skip('+')) {
                skip('-');
            }
            digits();
        }
        String number = text.substring(begin, at);
        return whole ? integer(number) : new BigDecimal(number);
    }

    private void digits() {
        if (peek() < '0' || peek() > '9') {
            throw wrong("a value");
        }
        while (peek() >= '0' && peek() <= '9') {
            at++;
        }
    }

    private static Number integer(String number) {
        if (number.length() > 18) {
            BigInteger big = new BigInteger(number);
            return big.bitLength() < 64 ? (Number) big.longValue() : big;
        }
        long value = Long.parseLong(number);
        return value == (int) value ? (Number) (int) value : (Number) value;
    }

    // ---- headers

    @SuppressWarnings("unchecked")
    static Map<String, Object> object(Object value) {
        return value instanceof Map ? (Map<String, Object>) value : new LinkedHashMap<String, Object>();
    }

    /** A text of a header, "" when it is absent. */
    static String text(Map<String, Object> header, String key) {
        Object value = header.get(key);
        return value == null ? "" : value.toString();
    }

    /** A number of a header, 0 when it is absent. */
    static int number(Map<String, Object> header, String key) {
        Object value = header.get(key);
        return value instanceof Number ? ((Number) value).intValue() : 0;
    }

    // ---- writing

    /** A header: maps and lists of texts, numbers and truth values. */
    static String write(Map<String, Object> header) {
        StringBuilder to = new StringBuilder();
        write(to, header);
        return to.toString();
    }

    private static void write(StringBuilder to, Object value) {
        String between = "";
        if (value instanceof String) {
            quote(to, (String) value);
        } else if (value instanceof Map) {
            to.append('{');
            for (Map.Entry<?, ?> e : ((Map<?, ?>) value).entrySet()) {
                quote(to.append(between), (String) e.getKey());
                write(to.append(':'), e.getValue());
                between = ",";
            }
            to.append('}');
        } else if (value instanceof List) {
            to.append('[');
            for (Object item : (List<?>) value) {
                write(to.append(between), item);
                between = ",";
            }
            to.append(']');
        } else {
            to.append(value);
        }
    }

    static void quote(StringBuilder to, String s) {
        to.append('"');
        for (int i = 0; i < s.length(); i++) {
            char c = s.charAt(i);
            int known = "\"\\\b\f\n\r\t".indexOf(c);
            if (known >= 0) {
                to.append('\\').append("\"\\bfnrt".charAt(known));
            } else if (c < ' ') {
                to.append("\\u00").append(Character.forDigit(c >> 4, 16)).append("0123456789ABCDEF".charAt(c & 15));
            } else {
                to.append(c);
            }
        }
        to.append('"');
    }
}
