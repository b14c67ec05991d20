package example;

import com.aliyun.fc.runtime.Context;
import com.aliyun.fc.runtime.FunctionInitializer;

public class Counter extends Text implements FunctionInitializer {
    private int n;

    @Override
    public void initialize(Context context) {
        n++;
        context.getLogger().info("init " + n + " for " + context.getRequestId());
        if (n == 1) {
            throw new IllegalStateException("not yet");
        }
    }

    @Override
    String answer(String event, Context context) {
        return String.valueOf(n);
    }
}
