package configured;

import com.aliyun.fc.runtime.Context;
import com.aliyun.fc.runtime.PreFreezeHandler;
import com.aliyun.fc.runtime.PreStopHandler;
import com.aliyun.fc.runtime.StreamRequestHandler;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;

/** Counts its calls and tells the count when it rests and when it stops. */
public class Hooks implements StreamRequestHandler, PreFreezeHandler, PreStopHandler {
    private int calls;

    @Override
    public void handleRequest(InputStream input, OutputStream output, Context context) throws IOException {
        output.write(String.valueOf(++calls).getBytes());
    }

    @Override
    public void preFreeze(Context context) throws IOException {
        context.getLogger().info("freezes after " + calls + " " + context.getFunctionParam().getFunctionName());
    }

    @Override
    public void preStop(Context context) throws IOException {
        context.getLogger().info("stops after " + calls + " " + context.getService().getName());
    }
}
