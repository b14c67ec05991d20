package initializer;

import com.aliyun.fc.runtime.Context;
import com.aliyun.fc.runtime.FunctionInitializer;

/** An initializer of a class of its own. */
public class Other implements FunctionInitializer {
    static String made = "";

    @Override
    public void initialize(Context context) {
        made = "made by Other.java";
    }
}
