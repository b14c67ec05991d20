package com.aliyun.fc.runtime;

import java.io.IOException;

/** Runs before an idle instance is frozen. */
public interface PreFreezeHandler {
    void preFreeze(Context context) throws IOException;
}
