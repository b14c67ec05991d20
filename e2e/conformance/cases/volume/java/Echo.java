package volume;

import com.aliyun.fc.runtime.Context;
import com.aliyun.fc.runtime.StreamRequestHandler;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;

/** What is read is written. */
public class Echo implements StreamRequestHandler {
    @Override
    public void handleRequest(InputStream input, OutputStream output, Context context) throws IOException {
        byte[] part = new byte[65536];
        for (int n; (n = input.read(part)) > 0; ) {
            output.write(part, 0, n);
        }
    }
}
