package configured;

import com.aliyun.fc.runtime.Context;
import com.aliyun.fc.runtime.StreamRequestHandler;

import java.io.ByteArrayOutputStream;
import java.io.Closeable;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Does by its event what the operator's configuration has a say in. */
public class Words implements StreamRequestHandler {
    @Override
    public void handleRequest(InputStream input, OutputStream output, Context context) throws IOException {
        ByteArrayOutputStream event = new ByteArrayOutputStream();
        for (int c = input.read(); c >= 0; c = input.read()) {
            event.write(c);
        }
        output.write(answer(event.toString("UTF-8"), context));
    }

    private byte[] answer(String word, Context context) throws IOException {
        switch (word) {
            case "log":
                context.getLogger().info("hello");
                context.getLogger().warn("careful");
                return new byte[0];
            case "long":
                char[] line = new char[5000];
                Arrays.fill(line, 'x');
                System.out.println(line);
                return new byte[0];
            case "thrown":
                throw new IllegalStateException("thrown");
            case "exit":
                System.exit(1);
            case "memory":
                List<byte[]> all = new ArrayList<>();
                while (true) {
                    all.add(new byte[8 << 20]);
                }
            case "files":
                return files();
            case "disk":
                return disk();
            case "result":
                return new byte[10001];
            default:
                return word.getBytes("UTF-8");
        }
    }

    private static byte[] files() throws IOException {
        List<Closeable> open = new ArrayList<>();
        try {
            for (int i = 0; i < 1000; i++) {
                open.add(new FileInputStream("/dev/null"));
            }
        } catch (IOException e) {
            return (e.getMessage().contains("Too many open files") ? "EMFILE" : e.toString()).getBytes();
        } finally {
            for (Closeable c : open) {
                c.close();
            }
        }
        return "no limit".getBytes();
    }

    private static byte[] disk() {
        try (OutputStream out = new FileOutputStream("/tmp/big")) {
            byte[] part = new byte[1 << 20];
            for (int i = 0; i < 40; i++) {
                out.write(part);
            }
        } catch (IOException e) {
            return (e.getMessage().contains("No space left on device") ? "ENOSPC" : e.toString()).getBytes();
        }
        return "no limit".getBytes();
    }
}
