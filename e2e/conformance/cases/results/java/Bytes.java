package results;

import com.aliyun.fc.runtime.Context;
import com.aliyun.fc.runtime.StreamRequestHandler;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;

/** Bytes are the result as they are written. */
public class Bytes implements StreamRequestHandler {
    @Override
    public void handleRequest(InputStream input, OutputStream output, Context context) throws IOException {
        output.write(new byte[] {0, 1, 2, (byte) 255, (byte) 254, 10, 13, (byte) 128});
    }
}
