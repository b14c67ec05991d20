package example;

import com.aliyun.fc.runtime.Context;
import com.aliyun.fc.runtime.FunctionInitializer;
import com.aliyun.fc.runtime.StreamRequestHandler;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.concurrent.CountDownLatch;

/** Serves several requests at a time: its words wait for each other. */
public class Concurrent implements StreamRequestHandler, FunctionInitializer {
    private final CountDownLatch all = new CountDownLatch(10);
    private CountDownLatch gate = new CountDownLatch(1);

    @Override
    public void initialize(Context context) {
    }

    @Override
    public void handleRequest(InputStream input, OutputStream output, Context context) throws IOException {
        byte[] event = read(input);
        String word = event.length < 100 ? new String(event, "UTF-8") : "echo";
        String id = context.getRequestId();
        try {
            output.write(answer(word, id, context, event));
        } catch (InterruptedException cut) {
            throw new IOException(cut);
        }
    }

    private byte[] answer(String word, String id, Context context, byte[] event) throws IOException, InterruptedException {
        if (word.equals("barrier")) {
            context.getLogger().info("before " + id);
            System.out.print("half " + id);
            all.countDown();
            all.await();
            System.out.println(" of a line");
            context.getLogger().error("after " + id);
            return id.getBytes("UTF-8");
        } else if (word.equals("wait")) {
            CountDownLatch mine = gate();
            context.getLogger().info("waits " + id);
            mine.await();
            return "went on".getBytes("UTF-8");
        } else if (word.equals("go")) {
            open();
            return "gone".getBytes("UTF-8");
        } else if (word.equals("throw")) {
            throw new IllegalStateException("thrown");
        } else if (word.equals("exit")) {
            Runtime.getRuntime().halt(3);
        } else if (word.equals("keys")) {
            return (context.getExecutionCredentials().getAccessKeyId() + System.getenv("accessKeyID")).getBytes("UTF-8");
        } else if (word.equals("rest")) {
            System.out.print("no newline");
            return new byte[0];
        }
        return event;
    }

    private synchronized CountDownLatch gate() {
        return gate;
    }

    private synchronized void open() {
        gate.countDown();
        gate = new CountDownLatch(1);
    }

    private static byte[] read(InputStream input) throws IOException {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        byte[] part = new byte[8192];
        for (int n = input.read(part); n >= 0; n = input.read(part)) {
            all.write(part, 0, n);
        }
        return all.toByteArray();
    }
}
