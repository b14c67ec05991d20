package fcd.http;

import java.text.ParseException;
import java.text.SimpleDateFormat;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Date;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TimeZone;
import java.util.TreeMap;

/** Header fields: names in any case, several values each. */
final class Names {
    private final Map<String, List<String>> values = new TreeMap<String, List<String>>(String.CASE_INSENSITIVE_ORDER);

    void set(String name, String value) {
        values.remove(name); // its new spelling counts
        add(name, value);
    }

    void add(String name, String value) {
        List<String> all = values.get(name);
        if (all == null) {
            all = new ArrayList<String>();
            values.put(name, all);
        }
        all.add(value);
    }

    void clear() {
        values.clear();
    }

    boolean has(String name) {
        return values.containsKey(name);
    }

    List<String> all(String name) {
        List<String> all = values.get(name);
        return all == null ? Collections.<String>emptyList() : all;
    }

    String first(String name) {
        List<String> all = values.get(name);
        return all == null ? null : all.get(0);
    }

    List<String> names() {
        return new ArrayList<String>(values.keySet());
    }

    Map<String, Object> map() {
        return new LinkedHashMap<String, Object>(values);
    }

    private static SimpleDateFormat httpDate() {
        SimpleDateFormat format = new SimpleDateFormat("EEE, dd MMM yyyy HH:mm:ss zzz", Locale.ROOT);
        format.setTimeZone(TimeZone.getTimeZone("GMT"));
        return format;
    }

    static String date(long millis) {
        return httpDate().format(new Date(millis));
    }

    static long date(String text) {
        try {
            return httpDate().parse(text).getTime();
        } catch (ParseException none) {
            throw new IllegalArgumentException("not an HTTP date: " + text);
        }
    }
}
