package example;

import com.aliyun.fc.runtime.Context;
import java.util.Scanner;

/** Runs the event as a shell command and answers what it prints. */
public class Children extends Text {
    @Override
    String answer(String event, Context context) throws Exception {
        Process child = new ProcessBuilder("sh", "-c", event).start();
        String out = new Scanner(child.getInputStream()).useDelimiter("\\A").next();
        child.waitFor();
        return out;
    }
}
