package children;

import com.aliyun.fc.runtime.Context;

import shared.Answers;

/** A child that stays does not hold back the answer. */
public class LeftBehind extends Answers {
    @Override
    protected String answer(String event, Context context) throws Exception {
        return new ProcessBuilder("sleep", "1000").inheritIO().start().isAlive() ? "started" : "failed";
    }
}
