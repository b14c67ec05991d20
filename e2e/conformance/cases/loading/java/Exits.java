package loading;

import com.aliyun.fc.runtime.Context;

import shared.Answers;

/** Ends the process while it is made. */
public class Exits extends Answers {
    static {
        System.out.println("leaving");
        System.exit(3);
    }

    @Override
    protected String answer(String event, Context context) {
        return "never";
    }
}
