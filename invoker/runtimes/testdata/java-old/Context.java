package com.aliyun.fc.runtime;

/** Stands for the copy of the library that users' jars carry: it knows less than the runtime's own. */
public interface Context {
    String getRequestId();
}
