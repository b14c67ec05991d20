package logs;

import com.aliyun.fc.runtime.Context;
import com.aliyun.fc.runtime.FunctionComputeLogger;
import com.aliyun.fc.runtime.StreamRequestHandler;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;

/** setLogLevel drops the lines below, until it is set again. */
public class SetLevel implements StreamRequestHandler {
    private static int calls;

    @Override
    public void handleRequest(InputStream input, OutputStream output, Context context) throws IOException {
        FunctionComputeLogger logger = context.getLogger();
        logger.setLogLevel(calls++ == 0 ? FunctionComputeLogger.Level.WARN : FunctionComputeLogger.Level.TRACE);
        logger.trace("trace");
        logger.debug("debug");
        logger.info("info");
        logger.warn("warn");
        logger.error("error");
        logger.fatal("fatal");
    }
}
