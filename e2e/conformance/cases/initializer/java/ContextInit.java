package initializer;

import com.aliyun.fc.runtime.Context;
import com.aliyun.fc.runtime.FunctionInitializer;

import shared.Answers;

/** Its initializer has a context. */
public class ContextInit extends Answers implements FunctionInitializer {
    private String seen;

    @Override
    protected String answer(String event, Context context) {
        return seen + " " + seen.startsWith(context.getRequestId());
    }

    @Override
    public void initialize(Context context) {
        seen = context.getRequestId() + " " + context.getExecutionCredentials().getAccessKeyId().substring(0, 4) + " "
                + context.getFunctionParam().getFunctionInitializer();
    }
}
