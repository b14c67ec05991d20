package fcd.bootstrap;

import com.aliyun.fc.runtime.FunctionComputeLogger;
import com.aliyun.fc.runtime.PojoRequestHandler;

import java.lang.reflect.Type;
import java.nio.charset.StandardCharsets;

/** Reads a handler's events from JSON and writes its results as JSON. */
abstract class Pojo {
    abstract Object read(byte[] event) throws Exception;

    abstract byte[] write(Object result) throws Exception;

    /** Jackson, where the user's class path has it, else what this program can do itself. */
    static Pojo of(Class<?> handler, ClassLoader loader, FunctionComputeLogger logger) throws Exception {
        Type input = Types.argument(handler, PojoRequestHandler.class, 0);
        try {
            Class<?> mapper = Class.forName("com.fasterxml.jackson.databind.ObjectMapper", true, loader);
            return new Jackson(mapper, input);
        } catch (ClassNotFoundException none) {
            return new Own(input);
        } catch (LinkageError incomplete) {
            logger.warn("the Jackson of this package cannot be used, its annotations are without effect: " + incomplete);
            return new Own(input);
        }
    }

    private static final class Own extends Pojo {
        private final Type input;

        Own(Type input) {
            this.input = input;
        }

        @Override
        Object read(byte[] event) {
            return new PojoReader().read(Json.parse(new String(event, StandardCharsets.UTF_8)), input);
        }

        @Override
        byte[] write(Object result) throws Exception {
            return new PojoWriter().write(result).getBytes(StandardCharsets.UTF_8);
        }
    }
}
