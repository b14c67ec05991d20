package logs;

import com.aliyun.fc.runtime.Context;

import shared.Answers;

import java.util.Arrays;

/** A line over 32 KiB becomes several records. */
public class LongLine extends Answers {
    @Override
    protected String answer(String event, Context context) {
        char[] line = new char[70 * 1024];
        Arrays.fill(line, 'x');
        System.out.println(line);
        return "";
    }
}
