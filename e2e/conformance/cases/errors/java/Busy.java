package errors;

import com.aliyun.fc.runtime.Context;
import com.aliyun.fc.runtime.StreamRequestHandler;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;

/** So does one that never rests. */
public class Busy implements StreamRequestHandler {
    @Override
    public void handleRequest(InputStream input, OutputStream output, Context context) throws IOException {
        System.out.println("busy");
        for (long n = 0; ; n++) {
            if (n < 0) {
                return;
            }
        }
    }
}
