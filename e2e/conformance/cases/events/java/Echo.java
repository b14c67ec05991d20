package events;

import com.aliyun.fc.runtime.Context;
import com.aliyun.fc.runtime.StreamRequestHandler;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;

/** What is read is written. */
public class Echo implements StreamRequestHandler {
    @Override
    public void handleRequest(InputStream input, OutputStream output, Context context) throws IOException {
        byte[] event = new byte[65536];
        int length = 0;
        for (int n; (n = input.read(event, length, event.length - length)) > 0; ) {
            length += n;
        }
        output.write(event, 0, length);
    }
}
