package errors;

import com.aliyun.fc.runtime.Context;

import shared.Answers;

/** SIGTERM ends the process, which is an error. */
public class Terminated extends Answers {
    @Override
    protected String answer(String event, Context context) throws Exception {
        say("kill -TERM 1");
        Thread.sleep(1_000_000);
        return "survived";
    }
}
