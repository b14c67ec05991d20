package guide;

import com.aliyun.fc.runtime.Context;
import com.aliyun.fc.runtime.StreamRequestHandler;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;

/** The guide's logging example. */
public class Logging implements StreamRequestHandler {
    @Override
    public void handleRequest(InputStream input, OutputStream output, Context context) throws IOException {
        context.getLogger().info("an info line");
        context.getLogger().warn("a warning");
        context.getLogger().error("an error");
        output.write(("logged").getBytes(StandardCharsets.UTF_8));
    }
}
