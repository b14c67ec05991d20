package environment;

import com.aliyun.fc.runtime.Context;
import com.aliyun.fc.runtime.StreamRequestHandler;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.TreeMap;

/** All variables, sorted. */
public class All implements StreamRequestHandler {
    @Override
    public void handleRequest(InputStream input, OutputStream output, Context context) throws IOException {
        StringBuilder all = new StringBuilder();
        new TreeMap<>(System.getenv()).forEach((k, v) -> all.append(k).append('=').append(v).append('\n'));
        output.write((all.toString()).getBytes(StandardCharsets.UTF_8));
    }
}
