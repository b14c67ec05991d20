package initializer;

import com.aliyun.fc.runtime.Context;
import com.aliyun.fc.runtime.FunctionInitializer;
import com.aliyun.fc.runtime.StreamRequestHandler;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;

/** Initializer and handler are one object. */
public class Counter implements StreamRequestHandler, FunctionInitializer {
    private int count;

    @Override
    public void handleRequest(InputStream input, OutputStream output, Context context) throws IOException {
        output.write((String.valueOf(++count)).getBytes(StandardCharsets.UTF_8));
    }

    @Override
    public void initialize(Context context) {
        context.getLogger().info("initializing");
        count = 10;
    }
}
