package events;

import com.aliyun.fc.runtime.Context;
import com.aliyun.fc.runtime.PojoRequestHandler;

import java.util.Map;

/** An event of JSON arrives as a map. */
public class Json implements PojoRequestHandler<Map<String, String>, String> {
    @Override
    public String handleRequest(Map<String, String> event, Context context) {
        return event.get("key");
    }
}
