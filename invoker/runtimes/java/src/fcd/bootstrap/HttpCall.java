package fcd.bootstrap;

import java.util.Map;

/**
 * Puts a request of an HTTP trigger to a handler. Its one implementation stands beside the servlet interfaces of the
 * user's package, which this program does not have: see HttpClasses.
 */
public interface HttpCall {
    /** The answer: status (Integer), headers (a Map of names to Lists of values), body (byte[]). */
    Object[] call(Object handler, Map<String, Object> http, byte[] body, Object context) throws Exception;
}
