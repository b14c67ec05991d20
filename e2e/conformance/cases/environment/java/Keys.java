package environment;

import com.aliyun.fc.runtime.Context;

import shared.Answers;

import java.util.TreeMap;

/** A role's keys are these six variables. */
public class Keys extends Answers {
    @Override
    protected String answer(String event, Context context) {
        StringBuilder all = new StringBuilder();
        new TreeMap<>(System.getenv()).forEach((k, v) -> {
            if (k.contains("ALIBABA") || k.contains("access") || k.contains("Token")) {
                all.append(k).append(v.isEmpty() ? " is empty" : " is set").append('\n');
            }
        });
        return all.toString();
    }
}
