package example;

import com.aliyun.fc.runtime.Context;
import com.aliyun.fc.runtime.PreFreezeHandler;
import com.aliyun.fc.runtime.PreStopHandler;

public class Hooks implements PreStopHandler, PreFreezeHandler {
    @Override
    public void preStop(Context context) {
        context.getLogger().info("stop");
    }

    @Override
    public void preFreeze(Context context) {
        context.getLogger().info("freeze");
    }
}
