package errors;

import com.aliyun.fc.runtime.Context;

import shared.Answers;

/** An instance stays after an exception and is replaced after an exit and a timeout. */
public class Replacement extends Answers {
    private int calls;

    @Override
    protected String answer(String event, Context context) throws InterruptedException {
        calls++;
        switch (event) {
            case "thrown":
                throw new IllegalStateException("thrown");
            case "exit":
                System.exit(0);
            case "never":
                Thread.sleep(60000);
            default:
                return "call " + calls;
        }
    }
}
