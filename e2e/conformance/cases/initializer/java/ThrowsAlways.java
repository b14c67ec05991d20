package initializer;

import com.aliyun.fc.runtime.Context;
import com.aliyun.fc.runtime.FunctionInitializer;

import shared.Answers;

/** Its initializer never succeeds. */
public class ThrowsAlways extends Answers implements FunctionInitializer {
    private int count;

    @Override
    protected String answer(String event, Context context) {
        return String.valueOf(++count);
    }

    @Override
    public void initialize(Context context) {
        throw new IllegalStateException("cannot start");
    }
}
