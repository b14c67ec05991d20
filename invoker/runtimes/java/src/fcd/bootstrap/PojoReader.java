package fcd.bootstrap;

import java.lang.reflect.Array;
import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Type;
import java.lang.reflect.TypeVariable;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collection;
import java.util.Date;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.LinkedList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * Makes objects of what Json has parsed: classes with public fields or setters, lists, sets, maps, arrays, enums, numbers,
 * texts, dates. What a class has no property for is left out. One reader reads one event.
 */
final class PojoReader {
    private final StringBuilder place = new StringBuilder("$"); // where in the event it is, for errors

    Object read(Object json, Type type) {
        Class<?> raw = Types.raw(type);
        if (json == null) {
            return raw.isPrimitive() ? Array.get(Array.newInstance(raw, 1), 0) : null;
        }
        if (raw == Object.class) {
            return natural(json);
        }
        if (raw == String.class || raw == CharSequence.class) {
            return text(json, raw);
        }
        if (raw == boolean.class || raw == Boolean.class) {
            return truth(json);
        }
        if (raw == char.class || raw == Character.class) {
            return character(json);
        }
        if (raw.isPrimitive() || Number.class.isAssignableFrom(raw)) {
            return number(json, raw);
        }
        if (raw.isEnum()) {
            return constant(json, raw);
        }
        if (raw.isArray()) {
            return array(json, raw, type);
        }
        if (Date.class == raw) {
            return date(json);
        }
        if (Map.class.isAssignableFrom(raw)) {
            return map(json, raw, type);
        }
        if (Iterable.class.isAssignableFrom(raw)) {
            return collection(json, raw, type);
        }
        return object(json, raw, type);
    }

    private IllegalArgumentException wrong(String wanted, Object found) {
        String shown = found instanceof Map ? "an object" : found instanceof List ? "an array"
                : found instanceof String ? "a string" : String.valueOf(found);
        return new IllegalArgumentException("the event does not fit: expected " + wanted + " at " + place + ", found " + shown);
    }

    private Object read(Object json, Type type, String step) {
        int length = place.length();
        place.append(step);
        Object value = read(json, type);
        place.setLength(length);
        return value;
    }

    /** A value as Java programs expect it that did not say what they want. */
    private static Object natural(Object json) {
        if (json instanceof BigDecimal) {
            return ((BigDecimal) json).doubleValue();
        }
        if (json instanceof Map) {
            for (Map.Entry<String, Object> e : Json.object(json).entrySet()) {
                e.setValue(natural(e.getValue()));
            }
        } else if (json instanceof List) {
            @SuppressWarnings("unchecked")
            List<Object> list = (List<Object>) json;
            for (int i = 0; i < list.size(); i++) {
                list.set(i, natural(list.get(i)));
            }
        }
        return json;
    }

    private Object text(Object json, Class<?> raw) {
        if (json instanceof Map || json instanceof List) {
            throw wrong("a string", json);
        }
        return json.toString();
    }

    private Object truth(Object json) {
        if (json instanceof Boolean) {
            return json;
        }
        if ("true".equals(json) || "false".equals(json)) {
            return "true".equals(json);
        }
        throw wrong("true or false", json);
    }

    private Object character(Object json) {
        if (json instanceof String && ((String) json).length() == 1) {
            return ((String) json).charAt(0);
        }
        throw wrong("a string of one character", json);
    }

    private Object number(Object json, Class<?> raw) {
        Object value = json;
        if (json instanceof String) {
            try {
                value = Json.parse(((String) json).trim());
            } catch (IllegalArgumentException none) {
                throw wrong("a number", json);
            }
        }
        if (!(value instanceof Number)) {
            throw wrong("a number", json);
        }
        Number n = (Number) value;
        if (raw == double.class || raw == Double.class) {
            return n.doubleValue();
        }
        if (raw == float.class || raw == Float.class) {
            return n.floatValue();
        }
        if (raw == BigDecimal.class) {
            return n instanceof BigDecimal ? n : new BigDecimal(n.toString());
        }
        if (raw == Number.class) {
            return natural(n);
        }
        return whole(json, n, raw);
    }

    private Object whole(Object json, Number n, Class<?> raw) {
        if (raw == BigInteger.class && !(n instanceof BigDecimal)) {
            return new BigInteger(n.toString());
        }
        if (n instanceof BigInteger || n instanceof BigDecimal && Math.abs(n.doubleValue()) > 1e18) {
            throw wrong("a smaller number", json);
        }
        long value = n instanceof BigDecimal ? (long) n.doubleValue() : n.longValue();
        if (raw == long.class || raw == Long.class) {
            return value;
        }
        if ((raw == int.class || raw == Integer.class) && value == (int) value) {
            return (int) value;
        }
        if ((raw == short.class || raw == Short.class) && value == (short) value) {
            return (short) value;
        }
        if ((raw == byte.class || raw == Byte.class) && value == (byte) value) {
            return (byte) value;
        }
        if (raw == BigInteger.class) {
            return BigInteger.valueOf(value);
        }
        throw wrong("a number that fits " + raw.getName(), json);
    }

    private Object constant(Object json, Class<?> raw) {
        for (Object constant : raw.getEnumConstants()) {
            if (((Enum<?>) constant).name().equals(json)) {
                return constant;
            }
        }
        throw wrong("a name of " + raw.getName(), json);
    }

    private Object array(Object json, Class<?> raw, Type type) {
        if (raw == byte[].class && json instanceof String) {
            return Base64.getDecoder().decode((String) json);
        }
        if (!(json instanceof List)) {
            throw wrong("an array", json);
        }
        List<?> items = (List<?>) json;
        Object array = Array.newInstance(raw.getComponentType(), items.size());
        for (int i = 0; i < items.size(); i++) {
            Array.set(array, i, read(items.get(i), raw.getComponentType(), "[" + i + "]"));
        }
        return array;
    }

    private Object date(Object json) {
        if (json instanceof Number) {
            return new Date(((Number) json).longValue());
        }
        try {
            return Date.from(Instant.parse(json.toString()));
        } catch (RuntimeException other) {
            throw wrong("a date, as milliseconds or like 2016-08-18T05:38:41Z", json);
        }
    }

    @SuppressWarnings("unchecked")
    private Object map(Object json, Class<?> raw, Type type) {
        if (!(json instanceof Map)) {
            throw wrong("an object", json);
        }
        Type key = Types.argument(type, Map.class, 0);
        Type value = Types.argument(type, Map.class, 1);
        Map<Object, Object> map = (Map<Object, Object>) (raw.isAssignableFrom(LinkedHashMap.class) ? new LinkedHashMap<Object, Object>()
                : raw.isAssignableFrom(TreeMap.class) ? new TreeMap<Object, Object>() : make(raw));
        for (Map.Entry<String, Object> e : Json.object(json).entrySet()) {
            map.put(read(e.getKey(), key), read(e.getValue(), value, "." + e.getKey()));
        }
        return map;
    }

    @SuppressWarnings("unchecked")
    private Object collection(Object json, Class<?> raw, Type type) {
        if (!(json instanceof List)) {
            throw wrong("an array", json);
        }
        Type item = Types.argument(type, Iterable.class, 0);
        Collection<Object> items = (Collection<Object>) (raw.isAssignableFrom(ArrayList.class) ? new ArrayList<Object>()
                : raw.isAssignableFrom(LinkedHashSet.class) ? new LinkedHashSet<Object>()
                : raw.isAssignableFrom(TreeSet.class) ? new TreeSet<Object>()
                : raw.isAssignableFrom(ArrayDeque.class) ? new ArrayDeque<Object>()
                : raw.isAssignableFrom(LinkedList.class) ? new LinkedList<Object>() : make(raw));
        for (Object each : (List<?>) json) {
            items.add(read(each, item, "[" + items.size() + "]"));
        }
        return items;
    }

    private Object object(Object json, Class<?> raw, Type type) {
        if (!(json instanceof Map)) {
            throw wrong("an object", json);
        }
        Object object = make(raw);
        Map<TypeVariable<?>, Type> known = Types.variables(type);
        Map<String, Properties.Property> properties = Properties.of(raw);
        for (Map.Entry<String, Object> e : Json.object(json).entrySet()) {
            Properties.Property p = properties.get(e.getKey());
            if (p != null && p.writable()) {
                set(object, p, e, known);
            }
        }
        return object;
    }

    private void set(Object object, Properties.Property p, Map.Entry<String, Object> e, Map<TypeVariable<?>, Type> known) {
        Type type = p.setter != null ? p.setter.getGenericParameterTypes()[0] : p.field.getGenericType();
        Object value = read(e.getValue(), Types.resolve(type, known), "." + e.getKey());
        try {
            if (p.setter != null) {
                p.setter.invoke(object, value);
            } else {
                p.field.set(object, value);
            }
        } catch (InvocationTargetException thrown) {
            throw new IllegalArgumentException("the event does not fit: " + place + "." + e.getKey() + ": " + thrown.getCause(), thrown.getCause());
        } catch (IllegalAccessException closed) {
            throw new IllegalArgumentException("the event does not fit: " + place + "." + e.getKey() + " cannot be set", closed);
        }
    }

    private Object make(Class<?> raw) {
        try {
            Constructor<?> constructor = raw.getDeclaredConstructor();
            constructor.setAccessible(true);
            return constructor.newInstance();
        } catch (InvocationTargetException thrown) {
            throw new IllegalArgumentException("the event does not fit: new " + raw.getName() + " at " + place + " failed", thrown.getCause());
        } catch (Exception none) {
            throw new IllegalArgumentException("the event does not fit: " + raw.getName() + " at " + place
                    + " cannot be made: it needs a constructor without parameters", none);
        }
    }
}
