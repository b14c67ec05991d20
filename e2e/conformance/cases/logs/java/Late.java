package logs;

import com.aliyun.fc.runtime.Context;
import com.aliyun.fc.runtime.StreamRequestHandler;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;

/** What is written after the answer is late. */
public class Late implements StreamRequestHandler {
    @Override
    public void handleRequest(InputStream input, OutputStream output, Context context) throws IOException {
        Thread t = new Thread(() -> {
            try {
                Thread.sleep(500);
            } catch (InterruptedException e) {
                return;
            }
            context.getLogger().info("logged late");
            System.out.println("raw late");
        });
        t.setDaemon(true);
        t.start();
        output.write(("answered").getBytes(StandardCharsets.UTF_8));
    }
}
