package volume;

import com.aliyun.fc.runtime.Context;
import com.aliyun.fc.runtime.StreamRequestHandler;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.Arrays;

/** A hundred thousand lines and a line of a MiB. */
public class Flood implements StreamRequestHandler {
    @Override
    public void handleRequest(InputStream input, OutputStream output, Context context) throws IOException {
        for (int i = 0; i < 100000; i++) {
            System.out.println("line " + i);
        }
        char[] text = new char[1 << 20];
        Arrays.fill(text, 'y');
        System.out.println(new String(text));
    }
}
