package example;

import com.aliyun.fc.runtime.Context;
import com.aliyun.fc.runtime.StreamRequestHandler;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;

public class Echo implements StreamRequestHandler {
    @Override
    public void handleRequest(InputStream input, OutputStream output, Context context) throws IOException {
        byte[] part = new byte[8192];
        for (int n = input.read(part); n >= 0; n = input.read(part)) {
            output.write(part, 0, n);
        }
        output.close();
    }
}
