package fcd.bootstrap;

import java.lang.reflect.Array;
import java.lang.reflect.InvocationTargetException;
import java.util.Base64;
import java.util.Date;
import java.util.Map;

/** Writes objects as JSON, the way PojoReader reads them. */
final class PojoWriter {
    private final StringBuilder to = new StringBuilder();

    String write(Object value) throws Exception {
        write(value, 0);
        return to.toString();
    }

    private void write(Object value, int depth) throws Exception {
        if (depth > Json.MAX_DEPTH) {
            throw new IllegalArgumentException("the result is no JSON: nested deeper than " + Json.MAX_DEPTH + ", or in a circle");
        }
        if (value == null || value instanceof Boolean) {
            to.append(value);
        } else if (value instanceof Number) {
            number((Number) value);
        } else if (value instanceof CharSequence || value instanceof Character) {
            Json.quote(to, value.toString());
        } else if (value instanceof Enum) {
            Json.quote(to, ((Enum<?>) value).name());
        } else if (value instanceof Date) {
            to.append(((Date) value).getTime());
        } else if (value instanceof byte[]) {
            Json.quote(to, Base64.getEncoder().encodeToString((byte[]) value));
        } else if (value.getClass().isArray()) {
            array(value, depth);
        } else if (value instanceof Map) {
            map((Map<?, ?>) value, depth);
        } else if (value instanceof Iterable) {
            items((Iterable<?>) value, depth);
        } else {
            object(value, depth);
        }
    }

    private void number(Number n) {
        if (n instanceof Double || n instanceof Float) {
            double d = n.doubleValue();
            if (Double.isNaN(d) || Double.isInfinite(d)) {
                Json.quote(to, n.toString());
                return;
            }
        }
        to.append(n);
    }

    private void array(Object array, int depth) throws Exception {
        to.append('[');
        for (int i = 0; i < Array.getLength(array); i++) {
            to.append(i > 0 ? "," : "");
            write(Array.get(array, i), depth + 1);
        }
        to.append(']');
    }

    private void items(Iterable<?> items, int depth) throws Exception {
        String between = "";
        to.append('[');
        for (Object item : items) {
            to.append(between);
            between = ",";
            write(item, depth + 1);
        }
        to.append(']');
    }

    private void map(Map<?, ?> map, int depth) throws Exception {
        String between = "";
        to.append('{');
        for (Map.Entry<?, ?> e : map.entrySet()) {
            to.append(between);
            between = ",";
            Json.quote(to, e.getKey() instanceof Enum ? ((Enum<?>) e.getKey()).name() : String.valueOf(e.getKey()));
            to.append(':');
            write(e.getValue(), depth + 1);
        }
        to.append('}');
    }

    private void object(Object object, int depth) throws Exception {
        String between = "";
        to.append('{');
        for (Map.Entry<String, Properties.Property> e : Properties.of(object.getClass()).entrySet()) {
            if (!e.getValue().readable()) {
                continue;
            }
            to.append(between);
            between = ",";
            Json.quote(to, e.getKey());
            to.append(':');
            write(get(object, e.getValue()), depth + 1);
        }
        to.append('}');
    }

    private static Object get(Object object, Properties.Property p) throws Exception {
        if (p.getter == null) {
            return p.field.get(object);
        }
        try {
            return p.getter.invoke(object);
        } catch (InvocationTargetException thrown) {
            if (thrown.getCause() instanceof Exception) {
                throw (Exception) thrown.getCause();
            }
            throw thrown;
        }
    }
}
