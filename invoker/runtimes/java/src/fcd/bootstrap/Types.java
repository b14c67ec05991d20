package fcd.bootstrap;

import java.lang.reflect.GenericArrayType;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.lang.reflect.TypeVariable;
import java.lang.reflect.WildcardType;
import java.util.HashMap;
import java.util.Map;

/** Finds out what the type parameters of generic classes stand for. */
final class Types {
    private Types() {
    }

    /** What a class gives for a type parameter of a class or interface above it; Object when it does not say. */
    static Type argument(Type of, Class<?> above, int index) {
        Type found = variables(of).get(above.getTypeParameters()[index]);
        return found == null ? Object.class : found;
    }

    /** What every type parameter of a type and of all above it stands for, as far as it is known. */
    static Map<TypeVariable<?>, Type> variables(Type of) {
        Map<TypeVariable<?>, Type> known = new HashMap<TypeVariable<?>, Type>();
        collect(of, known);
        return known;
    }

    private static void collect(Type of, Map<TypeVariable<?>, Type> known) {
        if (of == null) {
            return;
        }
        Class<?> raw = raw(of);
        if (of instanceof ParameterizedType) {
            Type[] arguments = ((ParameterizedType) of).getActualTypeArguments();
            for (int i = 0; i < arguments.length; i++) {
                known.put(raw.getTypeParameters()[i], resolve(arguments[i], known));
            }
        }
        collect(raw.getGenericSuperclass(), known);
        for (Type above : raw.getGenericInterfaces()) {
            collect(above, known);
        }
    }

    /** The type with its variables replaced. */
    static Type resolve(Type type, Map<TypeVariable<?>, Type> known) {
        if (type instanceof TypeVariable) {
            Type found = known.get(type);
            return found != null ? found : raw(((TypeVariable<?>) type).getBounds()[0]);
        }
        if (type instanceof WildcardType) {
            return resolve(((WildcardType) type).getUpperBounds()[0], known);
        }
        if (type instanceof ParameterizedType) {
            Type[] arguments = ((ParameterizedType) type).getActualTypeArguments();
            for (int i = 0; i < arguments.length; i++) {
                arguments[i] = resolve(arguments[i], known);
            }
            return new Parameterized(raw(type), arguments, ((ParameterizedType) type).getOwnerType());
        }
        if (type instanceof GenericArrayType) {
            Class<?> item = raw(resolve(((GenericArrayType) type).getGenericComponentType(), known));
            return java.lang.reflect.Array.newInstance(item, 0).getClass();
        }
        return type;
    }

    /** The class of a type. */
    static Class<?> raw(Type type) {
        if (type instanceof Class) {
            return (Class<?>) type;
        }
        if (type instanceof ParameterizedType) {
            return (Class<?>) ((ParameterizedType) type).getRawType();
        }
        if (type instanceof GenericArrayType) {
            Class<?> item = raw(((GenericArrayType) type).getGenericComponentType());
            return java.lang.reflect.Array.newInstance(item, 0).getClass();
        }
        if (type instanceof WildcardType) {
            return raw(((WildcardType) type).getUpperBounds()[0]);
        }
        return raw(((TypeVariable<?>) type).getBounds()[0]);
    }

    /** A generic class with its arguments. */
    private static final class Parameterized implements ParameterizedType {
        private final Class<?> raw;
        private final Type[] arguments;
        private final Type owner;

        Parameterized(Class<?> raw, Type[] arguments, Type owner) {
            this.raw = raw;
            this.arguments = arguments;
            this.owner = owner;
        }

        @Override
        public Type[] getActualTypeArguments() {
            return arguments.clone();
        }

        @Override
        public Type getRawType() {
            return raw;
        }

        @Override
        public Type getOwnerType() {
            return owner;
        }
    }
}
