package errors;

import com.aliyun.fc.runtime.Context;
import com.aliyun.fc.runtime.PojoRequestHandler;

import java.util.HashMap;
import java.util.Map;

/** A result that JSON cannot write is unhandled. */
public class Circular implements PojoRequestHandler<Object, Map<String, Object>> {
    @Override
    public Map<String, Object> handleRequest(Object event, Context context) {
        Map<String, Object> all = new HashMap<>();
        all.put("self", all);
        return all;
    }
}
