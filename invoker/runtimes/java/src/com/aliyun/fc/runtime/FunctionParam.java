package com.aliyun.fc.runtime;

/** What the function was configured with. */
public interface FunctionParam {
    String getFunctionName();

    /** Class and method, package.Class::method. */
    String getFunctionHandler();

    /** Class and method of the initializer; empty when there is none. */
    String getFunctionInitializer();

    /** How long one call may take, in milliseconds. */
    int getExecTimeLimitInMillis();

    int getMemoryLimitInMB();
}
