package example;

import com.aliyun.fc.runtime.Context;
import com.aliyun.fc.runtime.StreamRequestHandler;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;

/** A handler from text to text. */
public abstract class Text implements StreamRequestHandler {
    @Override
    public void handleRequest(InputStream input, OutputStream output, Context context) throws IOException {
        ByteArrayOutputStream event = new ByteArrayOutputStream();
        byte[] part = new byte[8192];
        for (int n = input.read(part); n >= 0; n = input.read(part)) {
            event.write(part, 0, n);
        }
        try {
            output.write(answer(event.toString("UTF-8"), context).getBytes("UTF-8"));
        } catch (IOException | RuntimeException e) {
            throw e;
        } catch (Exception e) {
            throw new IOException(e);
        }
    }

    abstract String answer(String event, Context context) throws Exception;
}
