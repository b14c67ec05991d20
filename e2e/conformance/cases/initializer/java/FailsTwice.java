package initializer;

import com.aliyun.fc.runtime.Context;
import com.aliyun.fc.runtime.FunctionInitializer;

import shared.Answers;

/** Its initializer succeeds at the third attempt. */
public class FailsTwice extends Answers implements FunctionInitializer {
    private int tries;
    private int count;

    @Override
    protected String answer(String event, Context context) {
        return String.valueOf(++count);
    }

    @Override
    public void initialize(Context context) {
        if (++tries < 3) {
            throw new IllegalStateException("attempt " + tries);
        }
    }
}
