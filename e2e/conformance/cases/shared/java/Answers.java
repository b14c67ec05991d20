package shared;

import com.aliyun.fc.runtime.Context;
import com.aliyun.fc.runtime.StreamRequestHandler;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;

/** A handler from text to text, for cases that are about something else. */
public abstract class Answers implements StreamRequestHandler {
    /** The answer to an event. */
    protected abstract String answer(String event, Context context) throws Exception;

    @Override
    public void handleRequest(InputStream input, OutputStream output, Context context) throws IOException {
        String event = new String(read(input), StandardCharsets.UTF_8);
        try {
            output.write(answer(event, context).getBytes(StandardCharsets.UTF_8));
        } catch (IOException | RuntimeException e) {
            throw e;
        } catch (Exception e) {
            throw new IOException(e);
        }
    }

    /** Everything that a stream gives. */
    protected static byte[] read(InputStream input) throws IOException {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        byte[] part = new byte[8192];
        for (int n = input.read(part); n >= 0; n = input.read(part)) {
            all.write(part, 0, n);
        }
        return all.toByteArray();
    }

    /** What a program prints. */
    protected static String output(String... command) throws Exception {
        Process child = new ProcessBuilder(command).redirectErrorStream(true).start();
        String out = new String(read(child.getInputStream()), StandardCharsets.UTF_8);
        child.waitFor();
        return out;
    }

    /** Lets a shell write to the function's own output. */
    protected static void say(String command) throws Exception {
        new ProcessBuilder("sh", "-c", command).inheritIO().start().waitFor();
    }
}
