package example;

import com.aliyun.fc.runtime.Context;
import java.time.Instant;

public class Now extends Text {
    @Override
    String answer(String event, Context context) {
        context.getLogger().info("x");
        return Instant.now().toString().substring(0, 16);
    }
}
