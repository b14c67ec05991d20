package errors;

import com.aliyun.fc.runtime.Context;
import com.aliyun.fc.runtime.StreamRequestHandler;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;

/** A handler that does not return runs into its timeout. */
public class Never implements StreamRequestHandler {
    @Override
    public void handleRequest(InputStream input, OutputStream output, Context context) throws IOException {
        System.out.println("waiting");
        try {
            Thread.sleep(60000);
        } catch (InterruptedException e) {
            throw new IOException(e);
        }
    }
}
