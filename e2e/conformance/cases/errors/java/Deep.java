package errors;

import com.aliyun.fc.runtime.Context;
import com.aliyun.fc.runtime.StreamRequestHandler;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;

/** The trace has the frames, innermost first. */
public class Deep implements StreamRequestHandler {
    @Override
    public void handleRequest(InputStream input, OutputStream output, Context context) throws IOException {
        deeper();
    }

    private void deeper() {
        throw new IllegalArgumentException("from below", new RuntimeException("the cause"));
    }
}
