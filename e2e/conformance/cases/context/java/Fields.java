package context;

import com.aliyun.fc.runtime.Context;
import com.aliyun.fc.runtime.Credentials;
import com.aliyun.fc.runtime.FunctionInitializer;
import com.aliyun.fc.runtime.FunctionParam;
import com.aliyun.fc.runtime.OpenTracing;
import com.aliyun.fc.runtime.Service;
import com.aliyun.fc.runtime.StreamRequestHandler;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;

/** Every accessor of the context. */
public class Fields implements StreamRequestHandler, FunctionInitializer {
    @Override
    public void handleRequest(InputStream input, OutputStream output, Context context) throws IOException {
        FunctionParam f = context.getFunctionParam();
        Service s = context.getService();
        Credentials c = context.getExecutionCredentials();
        OpenTracing t = context.getTracing();
        String[] lines = {
            "requestId " + context.getRequestId(),
            "name " + f.getFunctionName(), "handler " + f.getFunctionHandler(), "initializer " + f.getFunctionInitializer(),
            "limit " + f.getExecTimeLimitInMillis() + " ms", "memory " + f.getMemoryLimitInMB() + " MB",
            "service " + s.getName(), "project " + s.getLogProject(), "logstore " + s.getLogStore(), "qualifier " + s.getQualifier(),
            "version " + s.getVersionId(),
            "keys '" + c.getAccessKeyId() + "' '" + c.getAccessKeySecret() + "' '" + c.getSecurityToken() + "'",
            "tracing '" + t.getSpanContext() + "' " + t.getSpanBaggages() + " '" + t.getJaegerEndpoint() + "'",
            "retries " + context.getRetryCount(),
        };
        output.write((String.join("\n", lines)).getBytes(StandardCharsets.UTF_8));
    }

    @Override
    public void initialize(Context context) {
        // there only to be named
    }
}
