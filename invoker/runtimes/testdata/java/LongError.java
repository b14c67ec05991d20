package example;

import com.aliyun.fc.runtime.Context;
import java.util.Arrays;

public class LongError extends Text {
    @Override
    String answer(String event, Context context) {
        char[] long_ = new char[300000];
        Arrays.fill(long_, '\u00e9');
        throw new RuntimeException(new String(long_));
    }
}
