package example;

import com.aliyun.fc.runtime.Context;
import java.util.Scanner;

public class Children extends Text {
    @Override
    String answer(String event, Context context) throws Exception {
        Process child = new ProcessBuilder("ls", "-l", "/proc/self/fd").start();
        String out = new Scanner(child.getInputStream()).useDelimiter("\\A").next();
        child.waitFor();
        return out;
    }
}
