package events;

import com.aliyun.fc.runtime.Context;
import com.aliyun.fc.runtime.StreamRequestHandler;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;

/** An event is a stream. */
public class Kind implements StreamRequestHandler {
    @Override
    public void handleRequest(InputStream input, OutputStream output, Context context) throws IOException {
        byte[] event = new byte[65536];
        int length = 0;
        for (int n; (n = input.read(event, length, event.length - length)) > 0; ) {
            length += n;
        }
        output.write(("InputStream of " + length).getBytes(StandardCharsets.UTF_8));
    }
}
