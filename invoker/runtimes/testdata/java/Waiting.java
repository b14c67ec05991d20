package example;

import com.aliyun.fc.runtime.Context;
import com.aliyun.fc.runtime.StreamRequestHandler;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.concurrent.CountDownLatch;

/** Never answers, and is busy with it. */
public class Waiting implements StreamRequestHandler {
    @Override
    public void handleRequest(InputStream input, OutputStream output, Context context) {
        final CountDownLatch never = new CountDownLatch(1);
        Thread other = new Thread("other") {
            @Override
            public void run() {
                try {
                    never.await();
                } catch (InterruptedException e) {
                    return;
                }
            }
        };
        other.start();
        while (other.getState() != Thread.State.WAITING) {
            Thread.yield();
        }
        context.getLogger().info("waiting");
        for (long i = 0; never.getCount() > 0; i++) {
            if (i == Long.MAX_VALUE) {
                return;
            }
        }
    }
}
