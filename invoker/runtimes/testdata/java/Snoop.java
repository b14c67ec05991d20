package example;

import com.aliyun.fc.runtime.Context;
import java.lang.management.ManagementFactory;

public class Snoop extends Text {
    @Override
    String answer(String event, Context context) throws Exception {
        StringBuilder all = new StringBuilder();
        all.append(System.getenv()).append(System.getProperties()).append(ManagementFactory.getRuntimeMXBean().getInputArguments());
        for (Object part : new Object[] {context, context.getLogger(), context.getFunctionParam(), context.getTracing()}) {
            all.append(part);
            for (java.lang.reflect.Field f : part.getClass().getDeclaredFields()) {
                f.setAccessible(true);
                all.append(f.getName()).append('=').append(f.get(part)).append('\n');
            }
        }
        return all.toString();
    }
}
