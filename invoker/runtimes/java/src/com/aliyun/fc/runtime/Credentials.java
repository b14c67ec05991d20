package com.aliyun.fc.runtime;

/** Temporary keys of the role that the function's service runs under. All are empty when it has no role. */
public interface Credentials {
    String getAccessKeyId();

    String getAccessKeySecret();

    String getSecurityToken();
}
