package guide;

import com.aliyun.fc.runtime.Context;
import com.aliyun.fc.runtime.PojoRequestHandler;

/** The guide's timer event, read as an object. */
public class Timer implements PojoRequestHandler<Timer.Tick, String> {
    /** What a timer sends. */
    public static class Tick {
        public String triggerTime;
        public String triggerName;
        public String payload;
    }

    @Override
    public String handleRequest(Tick tick, Context context) {
        context.getLogger().info(tick.triggerName + " at " + tick.triggerTime);
        return tick.payload;
    }
}
