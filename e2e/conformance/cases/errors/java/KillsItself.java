package errors;

import com.aliyun.fc.runtime.Context;

import shared.Answers;

/** As process 1 a function is deaf to its own SIGKILL. */
public class KillsItself extends Answers {
    @Override
    protected String answer(String event, Context context) throws Exception {
        say("kill -KILL 1");
        return "survived as process 1";
    }
}
