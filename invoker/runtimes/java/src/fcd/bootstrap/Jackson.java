package fcd.bootstrap;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Type;

/** The user's own Jackson, so that annotations and modules count. Unknown properties are no error here either. */
final class Jackson extends Pojo {
    private final Object mapper;
    private final Object input; // a JavaType
    private final Method read;
    private final Method write;

    Jackson(Class<?> mapperClass, Type type) throws Exception {
        ClassLoader loader = mapperClass.getClassLoader();
        mapper = mapperClass.getConstructor().newInstance();
        Class<?> feature = Class.forName("com.fasterxml.jackson.databind.DeserializationFeature", true, loader);
        mapperClass.getMethod("configure", feature, boolean.class).invoke(mapper, feature.getField("FAIL_ON_UNKNOWN_PROPERTIES").get(null), false);
        Object types = mapperClass.getMethod("getTypeFactory").invoke(mapper);
        input = types.getClass().getMethod("constructType", Type.class).invoke(types, type);
        read = mapperClass.getMethod("readValue", byte[].class, Class.forName("com.fasterxml.jackson.databind.JavaType", true, loader));
        write = mapperClass.getMethod("writeValueAsBytes", Object.class);
    }

    @Override
    Object read(byte[] event) throws Exception {
        return call(read, event, input);
    }

    @Override
    byte[] write(Object result) throws Exception {
        return (byte[]) call(write, result);
    }

    private Object call(Method method, Object... args) throws Exception {
        try {
            return method.invoke(mapper, args);
        } catch (InvocationTargetException thrown) {
            if (thrown.getCause() instanceof Exception) {
                throw (Exception) thrown.getCause();
            }
            throw thrown;
        }
    }
}
