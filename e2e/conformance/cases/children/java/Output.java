package children;

import com.aliyun.fc.runtime.Context;

import shared.Answers;

/** A function can start programs and read their output. */
public class Output extends Answers {
    @Override
    protected String answer(String event, Context context) throws Exception {
        return output("printf", "from a child");
    }
}
