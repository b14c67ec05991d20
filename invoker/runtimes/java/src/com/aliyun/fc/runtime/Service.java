package com.aliyun.fc.runtime;

/** The service that the function belongs to. */
public interface Service {
    String getName();

    String getLogProject();

    String getLogStore();

    /** The version or alias that the call named; LATEST when it named none. */
    String getQualifier();

    String getVersionId();
}
