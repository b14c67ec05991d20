package volume;

import com.aliyun.fc.runtime.Context;
import com.aliyun.fc.runtime.StreamRequestHandler;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.util.Arrays;

/** As many lines as the event says, and a line of a MiB. */
public class Flood implements StreamRequestHandler {
    @Override
    public void handleRequest(InputStream input, OutputStream output, Context context) throws IOException {
        int lines = Integer.parseInt(new BufferedReader(new InputStreamReader(input)).readLine());
        for (int i = 0; i < lines; i++) {
            System.out.println("line " + i);
        }
        char[] text = new char[1 << 20];
        Arrays.fill(text, 'y');
        System.out.println(new String(text));
    }
}
