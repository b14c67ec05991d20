package objects;

import com.aliyun.fc.runtime.Context;
import com.aliyun.fc.runtime.Credentials;
import com.aliyun.fc.runtime.PojoRequestHandler;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.HttpURLConnection;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * Copies the object that an event names, with the credentials of the context, as the guide's OSS examples do with the OSS
 * client. Here the requests are signed by hand, so that the package holds nothing but this class.
 */
public class Copy implements PojoRequestHandler<Copy.Events, Map<String, Object>> {
    private static final DateTimeFormatter DATES = DateTimeFormatter.ofPattern("EEE, dd MMM yyyy HH:mm:ss 'GMT'", Locale.US);

    /** What a bucket sends. */
    public static class Events {
        public List<Event> events;
    }

    public static class Event {
        public String region;
        public Oss oss;
    }

    public static class Oss {
        public Bucket bucket;
        public Item object;
    }

    public static class Bucket {
        public String name;
    }

    public static class Item {
        public String key;
    }

    @Override
    public Map<String, Object> handleRequest(Events all, Context context) {
        Event event = all.events.get(0);
        String source = event.oss.object.key;
        String target = "copies/" + context.getFunctionParam().getFunctionName();
        byte[] content;
        try {
            content = send("GET", event, source, context.getExecutionCredentials(), null);
            context.getLogger().info(content.length + " bytes of " + source);
            send("PUT", event, target, context.getExecutionCredentials(), content);
        } catch (IOException | GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
        Map<String, Object> done = new LinkedHashMap<>();
        done.put("bytes", content.length);
        done.put("from", source);
        done.put("to", target);
        return done;
    }

    private static byte[] send(String method, Event event, String key, Credentials keys, byte[] body)
            throws IOException, GeneralSecurityException {
        String bucket = event.oss.bucket.name;
        String date = DATES.format(ZonedDateTime.now(ZoneOffset.UTC));
        String kind = body == null ? "" : "application/octet-stream";
        String text = method + "\n\n" + kind + "\n" + date + "\nx-oss-security-token:" + keys.getSecurityToken() + "\n/" + bucket + "/" + key;
        Mac mac = Mac.getInstance("HmacSHA1");
        mac.init(new SecretKeySpec(keys.getAccessKeySecret().getBytes(StandardCharsets.UTF_8), "HmacSHA1"));
        String signature = Base64.getEncoder().encodeToString(mac.doFinal(text.getBytes(StandardCharsets.UTF_8)));

        URL url = new URL("http://" + bucket + ".oss-" + event.region + ".aliyuncs.com/" + key);
        HttpURLConnection request = (HttpURLConnection) url.openConnection();
        request.setRequestMethod(method);
        request.setRequestProperty("Date", date);
        request.setRequestProperty("x-oss-security-token", keys.getSecurityToken());
        request.setRequestProperty("Authorization", "OSS " + keys.getAccessKeyId() + ":" + signature);
        if (body != null) {
            request.setRequestProperty("Content-Type", kind);
            request.setDoOutput(true);
            try (OutputStream out = request.getOutputStream()) {
                out.write(body);
            }
        }
        try (InputStream in = request.getInputStream()) {
            ByteArrayOutputStream all = new ByteArrayOutputStream();
            for (int c = in.read(); c >= 0; c = in.read()) {
                all.write(c);
            }
            return all.toByteArray();
        }
    }
}
