package initializer;

import com.aliyun.fc.runtime.Context;
import com.aliyun.fc.runtime.FunctionInitializer;

import shared.Answers;

import java.io.IOException;

/** Its initializer does not end. */
public class Never extends Answers implements FunctionInitializer {
    private int count;

    @Override
    protected String answer(String event, Context context) {
        return String.valueOf(++count);
    }

    @Override
    public void initialize(Context context) throws IOException {
        try {
            Thread.sleep(60000);
        } catch (InterruptedException e) {
            throw new IOException(e);
        }
    }
}
