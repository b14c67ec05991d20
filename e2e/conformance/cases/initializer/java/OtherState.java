package initializer;

import com.aliyun.fc.runtime.Context;

import shared.Answers;

/** Sees what another class initialized. */
public class OtherState extends Answers {
    @Override
    protected String answer(String event, Context context) {
        return Other.made;
    }
}
