package fcd.bootstrap;

import com.aliyun.fc.runtime.FunctionInitializer;
import com.aliyun.fc.runtime.PojoRequestHandler;
import com.aliyun.fc.runtime.PreFreezeHandler;
import com.aliyun.fc.runtime.PreStopHandler;
import com.aliyun.fc.runtime.StreamRequestHandler;

import java.io.ByteArrayInputStream;
import java.io.File;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;

/** The function that this process is bound to. take is the main thread's; serve may run for several requests at a time. */
final class Function {
    private final Map<String, Object> hello;
    private final Log log;
    private final Classes classes;
    private final FunctionContext.Param param;
    private final FunctionContext.OfService service;
    private volatile FunctionContext.Keys keys;
    private volatile Pojo pojo; // how the handler's objects are read and written, once it is known

    Function(Map<String, Object> hello, Log log) throws IOException {
        this.hello = hello;
        this.log = log;
        String codeDir = Json.text(hello, "codeDir");
        Map<String, String> env = new LinkedHashMap<String, String>();
        for (Map.Entry<String, Object> e : Json.object(hello.get("env")).entrySet()) {
            env.put(e.getKey(), String.valueOf(e.getValue()));
        }
        Environment.set(env);
        setKeys(Json.object(hello.get("credentials")));
        System.setProperty("user.dir", codeDir);
        System.setProperty("fc.func.code.path", codeDir + "/");
        classes = new Classes(new File(codeDir));
        param = new FunctionContext.Param(Json.object(hello.get("function")));
        service = new FunctionContext.OfService(Json.object(hello.get("service")));
    }

    private void setKeys(Map<String, Object> header) {
        keys = new FunctionContext.Keys(header);
        Environment.set(keys.environment());
    }

    /** Takes over the keys that came with a request, if any. */
    void take(Map<String, Object> request) {
        if (request.get("credentials") != null) {
            setKeys(Json.object(request.get("credentials")));
        }
    }

    /** Runs one request to its answer. */
    Answer serve(int type, Map<String, Object> request, byte[] event) {
        FunctionContext context = new FunctionContext(request, keys, param, service, log);
        Thread.interrupted(); // what an earlier request left behind
        Thread.currentThread().setContextClassLoader(classes.loader);
        try {
            return type == Frames.INVOKE ? invoke(request, event, context) : hook(type, context);
        } catch (LoadFailure failure) {
            return Failure.load(failure);
        } catch (Classes.Broken broken) {
            return Failure.thrown(broken.kind, broken.getCause());
        } catch (Throwable thrown) {
            return Failure.thrown(Failure.GENERAL, thrown);
        }
    }

    private Answer invoke(Map<String, Object> request, byte[] event, FunctionContext context) throws Exception {
        Object handler = classes.object(Json.text(hello, "handler"), "handleRequest", classes.handlers());
        if (classes.ofHttp(handler)) {
            if (request.get("http") == null) {
                throw new IllegalArgumentException("the handler takes the requests of an HTTP trigger, this is an event");
            }
            return Answer.http(classes.httpCall().call(handler, Json.object(request.get("http")), event, context));
        }
        if (handler instanceof StreamRequestHandler) {
            Output output = new Output();
            ((StreamRequestHandler) handler).handleRequest(new ByteArrayInputStream(event), output, context);
            return output.answer();
        }
        return invokePojo((PojoRequestHandler<?, ?>) handler, event, context);
    }

    @SuppressWarnings("unchecked")
    private Answer invokePojo(PojoRequestHandler<?, ?> handler, byte[] event, FunctionContext context) throws Exception {
        if (pojo == null) {
            pojo = Pojo.of(handler.getClass(), classes.loader, log);
        }
        Object input = event.length == 0 ? null : pojo.read(event);
        Object output = ((PojoRequestHandler<Object, Object>) handler).handleRequest(input, context);
        return Answer.result(pojo.write(output));
    }

    private Answer hook(int type, FunctionContext context) throws Exception {
        if (type == Frames.INIT && has("initializer")) {
            ((FunctionInitializer) classes.object(Json.text(hello, "initializer"), "initialize", FunctionInitializer.class)).initialize(context);
        } else if (type == Frames.PRESTOP && has("preStop")) {
            ((PreStopHandler) classes.object(Json.text(hello, "preStop"), "preStop", PreStopHandler.class)).preStop(context);
        } else if (type == Frames.PREFREEZE && has("preFreeze")) {
            ((PreFreezeHandler) classes.object(Json.text(hello, "preFreeze"), "preFreeze", PreFreezeHandler.class)).preFreeze(context);
        }
        return Answer.result(new byte[0]);
    }

    private boolean has(String hook) {
        return !Json.text(hello, hook).isEmpty();
    }
}
