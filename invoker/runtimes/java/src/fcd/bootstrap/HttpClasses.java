package fcd.bootstrap;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;

/**
 * Loads what puts HTTP requests to handlers. HttpRequestHandler and javax.servlet come with the user's package, so the
 * classes made for them lie out of the way in this program's jar, below http/, and are defined here, below the loader of
 * the package.
 */
final class HttpClasses extends ClassLoader {
    private static final String HANDLER = "com.aliyun.fc.runtime.HttpRequestHandler";

    HttpClasses(ClassLoader ofPackage) {
        super(ofPackage);
    }

    /** The interface that such handlers implement; null if the package has none. */
    static Class<?> handler(ClassLoader ofPackage) {
        try {
            return Class.forName(HANDLER, false, ofPackage);
        } catch (ClassNotFoundException none) {
            return null;
        } catch (LinkageError broken) { // without javax.servlet
            return null;
        }
    }

    HttpCall call() throws ReflectiveOperationException {
        return (HttpCall) loadClass("fcd.http.Servlets").getDeclaredConstructor().newInstance();
    }

    @Override
    protected Class<?> findClass(String name) throws ClassNotFoundException {
        try (InputStream in = HttpClasses.class.getResourceAsStream("/http/" + name.replace('.', '/') + ".class")) {
            if (in == null) {
                throw new ClassNotFoundException(name);
            }
            ByteArrayOutputStream all = new ByteArrayOutputStream();
            byte[] part = new byte[8192];
            for (int n = in.read(part); n >= 0; n = in.read(part)) {
                all.write(part, 0, n);
            }
            return defineClass(name, all.toByteArray(), 0, all.size());
        } catch (IOException broken) {
            throw new ClassNotFoundException(name, broken);
        }
    }
}
