package fcd.bootstrap;

import java.lang.reflect.AccessibleObject;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * The properties of a class: its public fields and what its public getters and setters speak of. They come in the order
 * of the fields that they are named like, those of superclasses first; what no field is named like follows by name.
 */
final class Properties {
    private static final ClassValue<Map<String, Property>> CACHE = new ClassValue<Map<String, Property>>() {
        @Override
        protected Map<String, Property> computeValue(Class<?> c) {
            return find(c);
        }
    };

    private Properties() {
    }

    static Map<String, Property> of(Class<?> c) {
        return CACHE.get(c);
    }

    /** One property. It is readable with a getter or a public field, writable with a setter, or a field one can read. */
    static final class Property {
        Field field;
        Method getter;
        Method setter;

        boolean readable() {
            return getter != null || field != null && Modifier.isPublic(field.getModifiers());
        }

        boolean writable() {
            return setter != null || field != null && readable() && !Modifier.isFinal(field.getModifiers());
        }
    }

    private static Map<String, Property> find(Class<?> c) {
        Map<String, Property> all = new LinkedHashMap<String, Property>();
        List<Class<?>> chain = new ArrayList<Class<?>>();
        for (Class<?> up = c; up != null && up != Object.class; up = up.getSuperclass()) {
            chain.add(0, up);
        }
        for (Class<?> up : chain) {
            for (Field f : up.getDeclaredFields()) {
                if ((f.getModifiers() & (Modifier.STATIC | Modifier.TRANSIENT)) == 0 && !f.isSynthetic()) {
                    property(all, f.getName()).field = open(f);
                }
            }
        }
        addMethods(all, c);
        return all;
    }

    private static void addMethods(Map<String, Property> all, Class<?> c) {
        Map<String, Property> others = new TreeMap<String, Property>();
        for (Method m : c.getMethods()) {
            if (Modifier.isStatic(m.getModifiers()) || m.isBridge() || m.getDeclaringClass() == Object.class) {
                continue;
            }
            String name = propertyName(m);
            if (name == null) {
                continue;
            }
            Property p = property(all.containsKey(name) ? all : others, name);
            if (m.getParameterTypes().length == 1) {
                p.setter = open(m);
            } else if (p.getter == null || m.getName().startsWith("get")) {
                p.getter = open(m);
            }
        }
        all.putAll(others);
    }

    /** The property that a method is the getter or setter of; null when it is neither. */
    private static String propertyName(Method m) {
        Class<?>[] takes = m.getParameterTypes();
        Class<?> gives = m.getReturnType();
        String name = m.getName();
        int prefix = 0;
        if (takes.length == 0 && name.startsWith("get") && gives != void.class) {
            prefix = 3;
        } else if (takes.length == 0 && name.startsWith("is") && (gives == boolean.class || gives == Boolean.class)) {
            prefix = 2;
        } else if (takes.length == 1 && name.startsWith("set")) {
            prefix = 3;
        }
        return prefix == 0 || name.length() == prefix ? null : lower(name.substring(prefix));
    }

    /** Makes the capitals that a name begins with small: Name, URL. */
    private static String lower(String name) {
        StringBuilder s = new StringBuilder(name);
        for (int i = 0; i < s.length() && Character.isUpperCase(s.charAt(i)); i++) {
            s.setCharAt(i, Character.toLowerCase(s.charAt(i)));
        }
        return s.toString();
    }

    private static Property property(Map<String, Property> in, String name) {
        Property p = in.get(name);
        if (p == null) {
            p = new Property();
            in.put(name, p);
        }
        return p;
    }

    /** Makes members of classes that are not public usable; those of the library's stay as they are. */
    private static <T extends AccessibleObject> T open(T member) {
        try {
            member.setAccessible(true);
        } catch (RuntimeException closed) {
            return member;
        }
        return member;
    }
}
