package fcd.bootstrap;

import com.aliyun.fc.runtime.Context;
import com.aliyun.fc.runtime.Credentials;
import com.aliyun.fc.runtime.FunctionComputeLogger;
import com.aliyun.fc.runtime.FunctionParam;
import com.aliyun.fc.runtime.OpenTracing;
import com.aliyun.fc.runtime.Service;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/** The context of one request. */
final class FunctionContext implements Context {
    private final Map<String, Object> request;
    private final Keys keys;
    private final Param param;
    private final OfService service;
    private final FunctionComputeLogger logger;

    FunctionContext(Map<String, Object> request, Keys keys, Param param, OfService service, FunctionComputeLogger logger) {
        this.request = request;
        this.keys = keys;
        this.param = param;
        this.service = service;
        this.logger = logger;
    }

    @Override
    public String getRequestId() {
        return Json.text(request, "id");
    }

    @Override
    public Credentials getExecutionCredentials() {
        return keys;
    }

    @Override
    public FunctionParam getFunctionParam() {
        return param;
    }

    @Override
    public Service getService() {
        return service;
    }

    @Override
    public FunctionComputeLogger getLogger() {
        return logger;
    }

    @Override
    public OpenTracing getTracing() {
        return new Tracing(Json.object(request.get("tracing")));
    }

    @Override
    public int getRetryCount() {
        return Json.number(request, "retryCount");
    }

    /** The keys of the role. */
    static final class Keys implements Credentials {
        private final String id;
        private final String secret;
        private final String token;

        Keys(Map<String, Object> keys) {
            id = Json.text(keys, "accessKeyId");
            secret = Json.text(keys, "accessKeySecret");
            token = Json.text(keys, "securityToken");
        }

        @Override
        public String getAccessKeyId() {
            return id;
        }

        @Override
        public String getAccessKeySecret() {
            return secret;
        }

        @Override
        public String getSecurityToken() {
            return token;
        }

        /** The keys as environment variables, under their two kinds of names; none without a role. */
        Map<String, String> environment() {
            Map<String, String> env = new LinkedHashMap<String, String>();
            if (!id.isEmpty()) {
                env.put("ALIBABA_CLOUD_ACCESS_KEY_ID", id);
                env.put("ALIBABA_CLOUD_ACCESS_KEY_SECRET", secret);
                env.put("ALIBABA_CLOUD_SECURITY_TOKEN", token);
                env.put("accessKeyID", id);
                env.put("accessKeySecret", secret);
                env.put("securityToken", token);
            }
            return env;
        }
    }

    /** The function's configuration. */
    static final class Param implements FunctionParam {
        private final Map<String, Object> function;

        Param(Map<String, Object> function) {
            this.function = function;
        }

        @Override
        public String getFunctionName() {
            return Json.text(function, "name");
        }

        @Override
        public String getFunctionHandler() {
            return Json.text(function, "handler");
        }

        @Override
        public String getFunctionInitializer() {
            return Json.text(function, "initializer");
        }

        @Override
        public int getExecTimeLimitInMillis() {
            return 1000 * Json.number(function, "timeout");
        }

        @Override
        public int getMemoryLimitInMB() {
            return Json.number(function, "memory");
        }
    }

    /** The function's service. */
    static final class OfService implements Service {
        private final Map<String, Object> service;

        OfService(Map<String, Object> service) {
            this.service = service;
        }

        @Override
        public String getName() {
            return Json.text(service, "name");
        }

        @Override
        public String getLogProject() {
            return Json.text(service, "logProject");
        }

        @Override
        public String getLogStore() {
            return Json.text(service, "logStore");
        }

        @Override
        public String getQualifier() {
            return Json.text(service, "qualifier");
        }

        @Override
        public String getVersionId() {
            return Json.text(service, "versionId");
        }
    }

    /** The request's span. */
    private static final class Tracing implements OpenTracing {
        private final Map<String, Object> tracing;

        Tracing(Map<String, Object> tracing) {
            this.tracing = tracing;
        }

        @Override
        public String getSpanContext() {
            return Json.text(tracing, "openTracingSpanContext");
        }

        @Override
        public Map<String, String> getSpanBaggages() {
            Map<String, String> all = new LinkedHashMap<String, String>();
            for (Map.Entry<String, Object> e : Json.object(tracing.get("openTracingSpanBaggages")).entrySet()) {
                all.put(e.getKey(), String.valueOf(e.getValue()));
            }
            return Collections.unmodifiableMap(all);
        }

        @Override
        public String getJaegerEndpoint() {
            return Json.text(tracing, "jaegerEndpoint");
        }
    }
}
