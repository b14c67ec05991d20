package com.aliyun.fc.runtime;

/** What a function is told about the call, its keys and itself. A new one belongs to each request. */
public interface Context {
    /** The id of the request, as in the answer's X-Fc-Request-Id header and in every log line. */
    String getRequestId();

    /** The temporary keys of the service's role; their texts are empty when it has none. */
    Credentials getExecutionCredentials();

    FunctionParam getFunctionParam();

    Service getService();

    /** Writes log lines that carry time, request id and level. */
    FunctionComputeLogger getLogger();

    OpenTracing getTracing();

    /** How many times an asynchronous invocation has been tried before; 0 for the first time. */
    int getRetryCount();
}
