package example;

import com.aliyun.fc.runtime.Context;
import com.aliyun.fc.runtime.FunctionComputeLogger;
import com.aliyun.fc.runtime.FunctionComputeLogger.Level;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;

public class Logs extends Text {
    @Override
    String answer(String event, Context context) throws Exception {
        FunctionComputeLogger log = context.getLogger();
        switch (event) {
            case "levels":
                log.trace("a");
                log.debug("b");
                log.info("c");
                log.warn("d");
                log.error("e");
                log.fatal("f");
                break;
            case "a level":
                log.setLogLevel(Level.ERROR);
                log.warn("no");
                log.error("e");
                log.fatal("f");
                break;
            case "lines":
                log.info("a\nb\n");
                log.info("h\u00e9\ud83d\ude00");
                log.info(null);
                break;
            case "raw":
                System.out.println("a");
                System.out.print("b");
                System.out.print('c');
                System.out.println();
                System.out.printf("%d %s%n", 1, "h\u00e9");
                System.err.println("error");
                break;
            case "unfinished":
                System.out.print("a\nb");
                System.err.print("c");
                break;
            case "stack":
                new IllegalStateException("printed").printStackTrace();
                break;
            case "redirected":
                PrintStream own = System.out;
                System.setOut(new PrintStream(new ByteArrayOutputStream()));
                System.out.println("nowhere");
                log.info("a");
                System.setOut(own);
                System.out.println("b");
                break;
            case "closed":
                System.out.close();
                log.info("a");
                break;
            case "threads":
                Thread[] all = new Thread[8];
                for (int i = 0; i < all.length; i++) {
                    all[i] = new Thread(() -> {
                        for (int n = 0; n < 500; n++) {
                            System.out.println("a line of one thread");
                            log.info("a record of one thread");
                        }
                    });
                    all[i].start();
                }
                for (Thread each : all) {
                    each.join();
                }
                break;
            case "uncaught":
                Thread failing = new Thread(() -> {
                    throw new IllegalStateException("of a thread");
                }, "failing");
                failing.start();
                failing.join();
                break;
            default:
                throw new IllegalArgumentException(event);
        }
        return "";
    }
}
