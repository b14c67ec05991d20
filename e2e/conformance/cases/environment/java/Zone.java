package environment;

import com.aliyun.fc.runtime.Context;
import com.aliyun.fc.runtime.StreamRequestHandler;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Calendar;
import java.util.GregorianCalendar;

/** TZ is heard. */
public class Zone implements StreamRequestHandler {
    @Override
    public void handleRequest(InputStream input, OutputStream output, Context context) throws IOException {
        output.write((String.valueOf(new GregorianCalendar() {{ setTimeInMillis(0); }}.get(Calendar.HOUR_OF_DAY))).getBytes(StandardCharsets.UTF_8));
    }
}
