package logs;

import com.aliyun.fc.runtime.Context;
import com.aliyun.fc.runtime.StreamRequestHandler;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;

/** Bytes that are no text. */
public class Binary implements StreamRequestHandler {
    @Override
    public void handleRequest(InputStream input, OutputStream output, Context context) throws IOException {
        System.out.write(new byte[] {'a', 0, 1, (byte) 0xff, (byte) 0xfe, (byte) 0x80, 'b', '\r', '\n', (byte) 0xe4, (byte) 0xb8, '\n'});
    }
}
