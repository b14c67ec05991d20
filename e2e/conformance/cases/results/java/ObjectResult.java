package results;

import com.aliyun.fc.runtime.Context;
import com.aliyun.fc.runtime.PojoRequestHandler;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;

/** A map is written as JSON. */
public class ObjectResult implements PojoRequestHandler<String, Map<String, Object>> {
    @Override
    public Map<String, Object> handleRequest(String input, Context context) {
        Map<String, Object> nested = new LinkedHashMap<>();
        nested.put("list", Arrays.asList(1, "two", null));
        nested.put("none", null);
        Map<String, Object> all = new LinkedHashMap<>();
        all.put("b", 1);
        all.put("a", "h\u00e9llo");
        all.put("nested", nested);
        return all;
    }
}
