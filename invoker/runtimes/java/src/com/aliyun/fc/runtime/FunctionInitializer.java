package com.aliyun.fc.runtime;

import java.io.IOException;

/** Runs once in an instance's life, before its first request, until it has succeeded. */
public interface FunctionInitializer {
    void initialize(Context context) throws IOException;
}
