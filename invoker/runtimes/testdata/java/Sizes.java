package example;

import com.aliyun.fc.runtime.Context;
import java.util.Arrays;

public class Sizes extends Text {
    @Override
    String answer(String event, Context context) throws Exception {
        byte[] block = new byte[1 << 20];
        Arrays.fill(block, (byte) 'z');
        String text = new String(block, "UTF-8");
        for (int i = 0; i < 100000; i++) {
            if (event.equals("many")) {
                context.getLogger().info(String.valueOf(i));
            } else if (event.equals("raw")) {
                System.out.println(i);
            }
        }
        if (event.equals("long")) {
            context.getLogger().info(text);
            System.out.print(text);
        }
        for (int i = 0; i < 50 && event.equals("flood"); i++) {
            System.out.write(block);
            System.err.print(text);
        }
        return "done";
    }
}
