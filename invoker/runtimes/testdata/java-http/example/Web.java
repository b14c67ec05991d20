package example;

import com.aliyun.fc.runtime.Context;
import com.aliyun.fc.runtime.HttpRequestHandler;
import java.io.IOException;
import java.util.Collections;
import javax.servlet.ServletException;
import javax.servlet.http.Cookie;
import javax.servlet.http.HttpServletRequest;
import javax.servlet.http.HttpServletResponse;

/** Answers by what the path says; see TestJavaHTTPRequests. */
public class Web implements HttpRequestHandler {
    @Override
    public void handleRequest(HttpServletRequest request, HttpServletResponse response, Context context)
            throws IOException, ServletException {
        switch (request.getPathInfo()) {
            case "/echo":
                response.setStatus(201);
                response.setContentType("text/plain; charset=iso-8859-1");
                response.addHeader("X-Many", "a");
                response.addHeader("x-many", "b");
                response.addCookie(new Cookie("k", "v"));
                response.getWriter().print(String.join("|", request.getMethod(), request.getRequestURI(), request.getQueryString(),
                        request.getParameter("a"), String.join("+", request.getParameterValues("a")), request.getParameter("f"),
                        Collections.list(request.getHeaders("X-One")).toString(), request.getRemoteAddr(), request.getCookies()[1].getValue(),
                        (String) request.getAttribute("FC_REQUEST_PATH"), (String) request.getAttribute("FC_REQUEST_CLIENT_IP"),
                        request.getReader().readLine(), context.getRequestId(), "\u00e9"));
                return;
            case "/bytes":
                response.getOutputStream().write(new byte[] {0, -1, 10});
                return;
            case "/error":
                response.getWriter().print("nothing of this");
                response.getWriter().flush();
                response.sendError(418, "a teapot");
                return;
            case "/throw":
                throw new ServletException("as told");
            default:
                request.getSession();
        }
    }
}
