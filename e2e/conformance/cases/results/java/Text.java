package results;

import com.aliyun.fc.runtime.Context;
import com.aliyun.fc.runtime.StreamRequestHandler;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;

/** Text is what its bytes are. */
public class Text implements StreamRequestHandler {
    @Override
    public void handleRequest(InputStream input, OutputStream output, Context context) throws IOException {
        output.write(("h\u00e9llo \u4e16\u754c \ud83d\ude00\n").getBytes(StandardCharsets.UTF_8));
    }
}
