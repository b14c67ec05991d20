package logs;

import com.aliyun.fc.runtime.Context;
import com.aliyun.fc.runtime.StreamRequestHandler;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;

/** Any character may stand in a line. */
public class Unicode implements StreamRequestHandler {
    @Override
    public void handleRequest(InputStream input, OutputStream output, Context context) throws IOException {
        context.getLogger().info("h\u00e9llo \u4e16\u754c \ud83d\ude00 \t \"quoted\" \\");
        System.out.println("h\u00e9llo \u4e16\u754c");
    }
}
