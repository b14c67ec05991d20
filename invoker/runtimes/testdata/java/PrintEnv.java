package example;

import com.aliyun.fc.runtime.Context;
import java.io.File;
import java.util.Calendar;
import java.util.Date;

public class PrintEnv extends Text {
    @Override
    String answer(String event, Context context) throws Exception {
        Calendar epoch = Calendar.getInstance();
        epoch.setTime(new Date(0));
        return env("GREETING") + '|' + new File("").getAbsolutePath() + '|' + epoch.get(Calendar.HOUR_OF_DAY) + '|' + env("accessKeyID")
                + '|' + env("ALIBABA_CLOUD_ACCESS_KEY_SECRET") + '|' + env("securityToken")
                + '|' + context.getExecutionCredentials().getAccessKeyId();
    }

    private static String env(String name) {
        String value = System.getenv(name);
        return value == null ? "" : value;
    }
}
