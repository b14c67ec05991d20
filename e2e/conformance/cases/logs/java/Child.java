package logs;

import com.aliyun.fc.runtime.Context;

import shared.Answers;

/** Output of a child belongs to the call. */
public class Child extends Answers {
    @Override
    protected String answer(String event, Context context) throws Exception {
        say("printf 'a line of the child\\nno newline at its end'");
        return "";
    }
}
