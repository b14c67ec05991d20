package context;

import com.aliyun.fc.runtime.Context;
import com.aliyun.fc.runtime.Credentials;
import com.aliyun.fc.runtime.StreamRequestHandler;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;

/** A role's keys are in the context and in the environment. */
public class Keys implements StreamRequestHandler {
    @Override
    public void handleRequest(InputStream input, OutputStream output, Context context) throws IOException {
        Credentials c = context.getExecutionCredentials();
        String all = c.getAccessKeyId().substring(0, 4) + " " + !c.getAccessKeySecret().isEmpty() + " " + !c.getSecurityToken().isEmpty()
                + " " + c.getAccessKeyId().equals(System.getenv("accessKeyID"))
                + " " + c.getAccessKeySecret().equals(System.getenv("accessKeySecret"))
                + " " + c.getSecurityToken().equals(System.getenv("securityToken"));
        output.write((all).getBytes(StandardCharsets.UTF_8));
    }
}
