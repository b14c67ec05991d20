package loading;

import com.aliyun.fc.runtime.Context;

import shared.Answers;

/** Cannot be made. */
public class Throws extends Answers {
    public Throws() {
        System.out.println("loading");
        throw new IllegalStateException("cannot load");
    }

    @Override
    protected String answer(String event, Context context) {
        return "never";
    }
}
