package fcd.bootstrap;

import java.lang.reflect.Field;
import java.util.HashMap;
import java.util.Map;
import java.util.TimeZone;

/** Changes what System.getenv gives and what child processes get, which Java has no call for. */
final class Environment {
    private Environment() {
    }

    /** Sets the variables that are not set so already; usually the process was started with most of them. */
    static void set(Map<String, String> variables) {
        Map<String, String> wanted = new HashMap<String, String>();
        for (Map.Entry<String, String> e : variables.entrySet()) {
            if (!e.getValue().equals(System.getenv(e.getKey()))) {
                wanted.put(e.getKey(), e.getValue());
            }
        }
        if (wanted.isEmpty()) {
            return;
        }
        try {
            writable().putAll(wanted);
        } catch (Exception closed) {
            System.err.println("fcd: this Java does not let its environment be set: " + closed);
        }
        if (wanted.containsKey("TZ")) {
            TimeZone.setDefault(TimeZone.getTimeZone(wanted.get("TZ")));
        }
    }

    /** The map behind the read-only one. */
    @SuppressWarnings("unchecked")
    private static Map<String, String> writable() throws Exception {
        Map<String, String> shown = System.getenv();
        Field behind = shown.getClass().getDeclaredField("m");
        behind.setAccessible(true);
        return (Map<String, String>) behind.get(shown);
    }
}
