package example;

import com.aliyun.fc.runtime.Context;
import com.aliyun.fc.runtime.Credentials;
import com.aliyun.fc.runtime.FunctionParam;
import com.aliyun.fc.runtime.OpenTracing;
import com.aliyun.fc.runtime.Service;

public class ShowContext extends Text {
    @Override
    String answer(String event, Context context) {
        Credentials c = context.getExecutionCredentials();
        FunctionParam f = context.getFunctionParam();
        Service s = context.getService();
        OpenTracing t = context.getTracing();
        Object[] all = {context.getRequestId(), c.getAccessKeyId(), c.getAccessKeySecret(), c.getSecurityToken(), f.getFunctionName(),
            f.getFunctionHandler(), f.getFunctionInitializer(), f.getExecTimeLimitInMillis(), f.getMemoryLimitInMB(), s.getName(),
            s.getLogProject(), s.getLogStore(), s.getQualifier(), s.getVersionId(), t.getSpanContext(), t.getSpanBaggages(),
            t.getJaegerEndpoint(), context.getRetryCount()};
        StringBuilder text = new StringBuilder();
        for (Object each : all) {
            text.append(text.length() > 0 ? "|" : "").append(each);
        }
        return text.toString();
    }
}
