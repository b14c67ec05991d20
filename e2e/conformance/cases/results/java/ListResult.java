package results;

import com.aliyun.fc.runtime.Context;
import com.aliyun.fc.runtime.PojoRequestHandler;

import java.util.Arrays;

/** A list is written as JSON. */
public class ListResult implements PojoRequestHandler<String, java.util.List<Object>> {
    @Override
    public java.util.List<Object> handleRequest(String input, Context context) {
        return Arrays.asList(1, "two", null, true);
    }
}
