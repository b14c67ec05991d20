package errors;

import com.aliyun.fc.runtime.Context;
import com.aliyun.fc.runtime.StreamRequestHandler;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.Arrays;

/** An error over 256 KiB is logged cut. */
public class Huge implements StreamRequestHandler {
    @Override
    public void handleRequest(InputStream input, OutputStream output, Context context) throws IOException {
        char[] text = new char[300 * 1024];
        Arrays.fill(text, 'x');
        throw new RuntimeException(new String(text));
    }
}
