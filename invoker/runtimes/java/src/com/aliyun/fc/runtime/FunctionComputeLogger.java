package com.aliyun.fc.runtime;

/** Writes to the function's log. One call is one record, however many lines its text has. Safe for use by threads. */
public interface FunctionComputeLogger {
    void trace(String text);

    void debug(String text);

    void info(String text);

    void warn(String text);

    void error(String text);

    void fatal(String text);

    /** Leaves out what is below a level, from now on and in later requests of the instance. At first nothing is. */
    void setLogLevel(Level level);

    /** How much a record matters, from little to much. */
    enum Level {
        TRACE, DEBUG, INFO, WARN, ERROR, FATAL
    }
}
