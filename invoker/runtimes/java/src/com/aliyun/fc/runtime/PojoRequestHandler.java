package com.aliyun.fc.runtime;

/**
 * A function whose event and result are objects, read from JSON and written as JSON.
 *
 * @param <I> what the event becomes
 * @param <O> what the result is
 */
public interface PojoRequestHandler<I, O> {
    O handleRequest(I input, Context context);
}
