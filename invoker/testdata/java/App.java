package example;

import com.aliyun.fc.runtime.Context;
import com.aliyun.fc.runtime.Credentials;
import com.aliyun.fc.runtime.FunctionInitializer;
import com.aliyun.fc.runtime.PreFreezeHandler;
import com.aliyun.fc.runtime.PreStopHandler;
import com.aliyun.fc.runtime.StreamRequestHandler;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.Socket;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;

/** The event says what to do. */
public class App implements StreamRequestHandler, FunctionInitializer, PreFreezeHandler, PreStopHandler {
    private final CountDownLatch ten = new CountDownLatch(10);
    private int calls;
    private int inited;

    @Override
    public void initialize(Context context) {
        inited++;
        context.getLogger().info("init " + inited);
        if (inited == 1 && System.getenv("FAIL") != null) {
            throw new IllegalStateException("not yet");
        }
    }

    @Override
    public void preFreeze(Context context) {
        context.getLogger().info("freezes after " + calls);
    }

    @Override
    public void preStop(Context context) {
        context.getLogger().info("stops after " + calls);
    }

    @Override
    public void handleRequest(InputStream input, OutputStream output, Context context) throws IOException {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        byte[] part = new byte[65536];
        for (int n = input.read(part); n >= 0; n = input.read(part)) {
            all.write(part, 0, n);
        }
        byte[] event = all.toByteArray();
        int blank = 0;
        while (blank < event.length && event[blank] != ' ') {
            blank++;
        }
        String word = new String(event, 0, blank, "UTF-8");
        byte[] rest = blank < event.length ? Arrays.copyOfRange(event, blank + 1, event.length) : new byte[0];
        try {
            output.write(answer(word, rest, context));
        } catch (InterruptedException e) {
            throw new IOException(e);
        }
    }

    private byte[] answer(String word, byte[] rest, Context context) throws IOException, InterruptedException {
        String text = rest.length < 4000000 ? new String(rest, "UTF-8") : "";
        switch (word) {
            case "calls":
                return String.valueOf(++calls).getBytes();
            case "barrier":
                ten.countDown();
                ten.await();
                return "through".getBytes();
            case "inited":
                return String.valueOf(inited).getBytes();
            case "echo":
                calls++;
                return rest;
            case "throw":
                throw new IllegalArgumentException("thrown");
            case "exit":
                System.exit(Integer.parseInt(text));
                break;
            case "spin":
                System.out.println("spinning");
                for (long n = 0; n >= 0; n += 2) {
                    n--;
                }
                break;
            case "hang":
                new CountDownLatch(1).await();
                break;
            case "tree":
                new ProcessBuilder("/bin/sh", "-c", "echo child $$; trap '' TERM; while :; do sleep 1; done").inheritIO().start();
                new CountDownLatch(1).await();
                break;
            case "hog":
                List<byte[]> hoard = new ArrayList<byte[]>();
                for (;;) {
                    hoard.add(new byte[1 << 20]);
                }
            case "print":
                System.out.println(text);
                break;
            case "late":
                Thread late = new Thread(() -> {
                    try {
                        Thread.sleep(50);
                    } catch (InterruptedException e) {
                        return;
                    }
                    System.out.println("late " + text);
                });
                late.start();
                break;
            case "lines":
                for (int i = 0; i < Integer.parseInt(text); i++) {
                    System.out.println("line " + i);
                }
                break;
            case "binary":
                byte[] block = new byte[1 << 20];
                for (int i = 0; i < block.length; i++) {
                    block[i] = (byte) (i * 7);
                }
                System.out.write(block);
                return "ok".getBytes();
            case "forge":
                System.out.print("\0xxxxxxxxxxxxxxxxE" + context.getRequestId() + "\n");
                System.out.println("after");
                break;
            case "keys":
                Credentials c = context.getExecutionCredentials();
                return (c.getAccessKeyId() + "/" + c.getAccessKeySecret() + "/" + c.getSecurityToken()).getBytes();
            case "env":
                return System.getenv(text).getBytes();
            case "size":
                return new byte[Integer.parseInt(text)];
            case "threads":
                return tryThreads(Integer.parseInt(text)).getBytes();
            case "where":
                return (System.getProperty("user.dir") + " " + new java.io.File("App.java").getAbsolutePath() + " "
                        + new java.io.File("/proc/self").getCanonicalPath() + " " + Runtime.getRuntime().maxMemory() / (1 << 20)).getBytes();
            default:
                throw new IllegalArgumentException(word);
        }
        return new byte[0];
    }

    private static String tryThreads(int n) throws InterruptedException {
        CountDownLatch all = new CountDownLatch(n);
        for (int i = 0; i < n; i++) {
            new Thread(all::countDown).start();
        }
        all.await();
        return "done";
    }
}
