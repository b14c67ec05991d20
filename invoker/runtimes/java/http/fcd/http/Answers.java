package fcd.http;

import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;

/** A servlet interface by the few of its methods that mean something here; all others answer nothing. */
abstract class Answers implements InvocationHandler {
    static final Object NOTHING = new Object();

    final <T> T as(Class<T> type) {
        return type.cast(Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, this));
    }

    @Override
    public final Object invoke(Object proxy, Method method, Object[] args) throws Throwable {
        if (method.getDeclaringClass() == Object.class) {
            return ofObject(proxy, method.getName(), args);
        }
        Object answer = answer(method.getName(), args == null ? new Object[0] : args);
        return answer != NOTHING ? answer : empty(method.getReturnType());
    }

    private Object ofObject(Object proxy, String name, Object[] args) {
        if (name.equals("equals")) {
            return proxy == args[0];
        }
        return name.equals("hashCode") ? (Object) System.identityHashCode(proxy) : getClass().getName();
    }

    private static Object empty(Class<?> type) {
        if (type == boolean.class) {
            return false;
        }
        if (type == int.class) {
            return 0;
        }
        return type == long.class ? (Object) 0L : null;
    }

    /** What a method answers; NOTHING for one that has no meaning here. */
    abstract Object answer(String method, Object[] args) throws Exception;
}
