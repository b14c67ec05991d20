package fcd.bootstrap;

import com.aliyun.fc.runtime.PojoRequestHandler;
import com.aliyun.fc.runtime.StreamRequestHandler;
import java.io.File;
import java.io.IOException;
import java.lang.reflect.Constructor;
import java.lang.reflect.Modifier;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The user's classes and the one object of each that serves. The class path is the code folder, every jar in it and in
 * its lib folder. The loader asks its parent first, so that the interfaces of com.aliyun.fc.runtime are those of this
 * program, whatever copy of them lies in a user's jar.
 */
final class Classes {
    final ClassLoader loader;

    private final Class<?> httpHandler; // null if the package has no such interface
    private HttpCall httpCall; // once it is needed
    private final Map<String, Object> objects = new HashMap<String, Object>(); // by class name

    Classes(File codeDir) throws IOException {
        List<URL> path = new ArrayList<URL>();
        path.add(url(codeDir));
        addJars(path, codeDir);
        addJars(path, new File(codeDir, "lib"));
        loader = new URLClassLoader(path.toArray(new URL[0]), Classes.class.getClassLoader());
        httpHandler = HttpClasses.handler(loader);
    }

    /** The interfaces of which a handler implements one. */
    Class<?>[] handlers() {
        if (httpHandler == null) {
            return new Class<?>[] {StreamRequestHandler.class, PojoRequestHandler.class};
        }
        return new Class<?>[] {StreamRequestHandler.class, PojoRequestHandler.class, httpHandler};
    }

    /** Whether a handler takes requests of HTTP triggers. */
    boolean ofHttp(Object handler) {
        return httpHandler != null && httpHandler.isInstance(handler);
    }

    synchronized HttpCall httpCall() throws ReflectiveOperationException {
        if (httpCall == null) {
            httpCall = new HttpClasses(loader).call();
        }
        return httpCall;
    }

    private static void addJars(List<URL> path, File dir) throws IOException {
        String[] names = dir.list();
        if (names == null) {
            return;
        }
        Arrays.sort(names);
        for (String name : names) {
            if (name.endsWith(".jar")) {
                path.add(url(new File(dir, name)));
            }
        }
    }

    private static URL url(File file) throws MalformedURLException {
        return file.toURI().toURL();
    }

    /** A class that is there but cannot be loaded or made: its own error is the cause. */
    static final class Broken extends Exception {
        private static final long serialVersionUID = 1;

        final String kind;

        Broken(String kind, Throwable cause) {
            super(null, cause, false, false);
            this.kind = kind;
        }
    }

    /** The object whose method a handler, package.Class::method, names. It is of one of the kinds. */
    synchronized Object object(String handler, String method, Class<?>... kinds) throws LoadFailure, Broken {
        int colons = handler.indexOf("::");
        if (colons <= 0 || colons + 2 == handler.length()) {
            throw LoadFailure.form(handler);
        }
        String name = handler.substring(0, colons);
        Object object = objects.get(name);
        Class<?> found = object != null ? object.getClass() : find(name);
        check(found, kinds);
        if (!handler.startsWith(method, colons + 2) || handler.length() != colons + 2 + method.length()) {
            throw LoadFailure.noMethod(name, handler.substring(colons + 2), method);
        }
        if (object == null) {
            object = make(found);
            objects.put(name, object);
        }
        return object;
    }

    private Class<?> find(String name) throws LoadFailure, Broken {
        try {
            return Class.forName(name, false, loader);
        } catch (ClassNotFoundException missing) {
            throw LoadFailure.noClass(name);
        } catch (LinkageError broken) {
            throw new Broken(Failure.IMPORT, broken);
        }
    }

    private static Object make(Class<?> found) throws LoadFailure, Broken {
        if (found.isInterface() || Modifier.isAbstract(found.getModifiers())) {
            throw LoadFailure.noConstructor(found.getName(), "is abstract");
        }
        try {
            Constructor<?> constructor = found.getDeclaredConstructor();
            constructor.setAccessible(true);
            return constructor.newInstance();
        } catch (NoSuchMethodException missing) {
            throw LoadFailure.noConstructor(found.getName(), "has no constructor without parameters");
        } catch (NoClassDefFoundError missing) {
            throw new Broken(Failure.IMPORT, missing);
        } catch (Throwable thrown) {
            throw new Broken(Failure.GENERAL, thrown);
        }
    }

    private static void check(Class<?> found, Class<?>[] kinds) throws LoadFailure {
        StringBuilder wanted = new StringBuilder();
        for (Class<?> kind : kinds) {
            if (kind.isAssignableFrom(found)) {
                return;
            }
            wanted.append(wanted.length() > 0 ? " or " : "").append(kind.getName());
        }
        throw LoadFailure.noInterface(found.getName(), wanted.toString());
    }
}
