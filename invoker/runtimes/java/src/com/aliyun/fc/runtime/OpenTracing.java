package com.aliyun.fc.runtime;

import java.util.Map;

/** The span that an invocation belongs to; empty when it is not traced. */
public interface OpenTracing {
    String getSpanContext();

    Map<String, String> getSpanBaggages();

    String getJaegerEndpoint();
}
