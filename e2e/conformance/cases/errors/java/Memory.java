package errors;

import com.aliyun.fc.runtime.Context;
import com.aliyun.fc.runtime.StreamRequestHandler;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.ArrayList;
import java.util.List;

/** A heap beyond the memory ends the process. */
public class Memory implements StreamRequestHandler {
    @Override
    public void handleRequest(InputStream input, OutputStream output, Context context) throws IOException {
        List<byte[]> kept = new ArrayList<>();
        for (int i = 0; i < 4096; i++) {
            kept.add(new byte[1 << 20]);
        }
        output.write(kept.size());
    }
}
