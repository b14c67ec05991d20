package fcd.bootstrap;

import java.io.File;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.lang.reflect.Constructor;

/** Opens what the process was started with. */
final class Descriptors {
    private Descriptors() {
    }

    static FileInputStream input(int fd) throws IOException {
        FileDescriptor own = of(fd);
        return own != null ? new FileInputStream(own) : new FileInputStream(path(fd));
    }

    static FileOutputStream output(int fd) throws IOException {
        FileDescriptor own = of(fd);
        return own != null ? new FileOutputStream(own) : new FileOutputStream(path(fd));
    }

    /** The number itself as a descriptor: its path cannot be opened by a user who did not make the pipe. */
    private static FileDescriptor of(int fd) {
        try {
            Constructor<FileDescriptor> made = FileDescriptor.class.getDeclaredConstructor(int.class);
            made.setAccessible(true);
            return made.newInstance(fd);
        } catch (Exception closed) { // to reflection, in some later Java
            return null;
        }
    }

    private static String path(int fd) {
        return "/proc/self/fd/" + fd;
    }

    /** The process id as seen here, 1 inside a sandbox; 0 when /proc does not tell. */
    static int pid() {
        try {
            return Integer.parseInt(new File("/proc/self").getCanonicalFile().getName());
        } catch (Exception unknown) {
            return 0;
        }
    }
}
