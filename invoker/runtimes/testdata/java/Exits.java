package example;

import com.aliyun.fc.runtime.Context;

public class Exits extends Text {
    @Override
    String answer(String event, Context context) throws Exception {
        System.out.print("unfinished");
        switch (event) {
            case "exit":
                System.exit(3);
                break;
            case "halt":
                Runtime.getRuntime().halt(4);
                break;
            case "thread":
                Thread other = new Thread(() -> System.exit(5));
                other.start();
                other.join();
                break;
            case "hook":
                Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("hook")));
                System.exit(6);
                break;
            case "heap":
                long[][] all = new long[1 << 20][];
                for (int i = 0; i < all.length; i++) {
                    all[i] = new long[1 << 17];
                }
                break;
            default:
                return "stays";
        }
        return "left";
    }
}
