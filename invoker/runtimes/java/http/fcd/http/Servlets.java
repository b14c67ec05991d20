package fcd.http;

import com.aliyun.fc.runtime.Context;
import com.aliyun.fc.runtime.HttpRequestHandler;
import fcd.bootstrap.HttpCall;
import java.util.Map;

/** Puts requests to handlers as to servlets. */
public final class Servlets implements HttpCall {
    @Override
    public Object[] call(Object handler, Map<String, Object> http, byte[] body, Object context) throws Exception {
        Request request = new Request(http, body);
        Response response = new Response();
        ((HttpRequestHandler) handler).handleRequest(request.servlet(), response.servlet(), (Context) context);
        return response.answer();
    }
}
