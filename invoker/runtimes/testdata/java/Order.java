package example;

import com.aliyun.fc.runtime.Context;
import java.io.FileDescriptor;
import java.io.FileOutputStream;

public class Order extends Text {
    @Override
    String answer(String event, Context context) throws Exception {
        context.getLogger().info("library");
        new FileOutputStream(FileDescriptor.out).write("raw\n".getBytes());
        new ProcessBuilder("echo", "child").inheritIO().start().waitFor();
        Thread late = new Thread(() -> {
            try {
                Thread.sleep(50);
            } catch (InterruptedException e) {
                return;
            }
            System.out.println("late");
        });
        late.start();
        return "x";
    }
}
