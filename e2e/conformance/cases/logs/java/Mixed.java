package logs;

import com.aliyun.fc.runtime.Context;

import shared.Answers;

/** Raw output, logged lines and output of children keep their order. */
public class Mixed extends Answers {
    @Override
    protected String answer(String event, Context context) throws Exception {
        System.out.println("1 raw");
        context.getLogger().info("2 logged");
        say("echo 3 child");
        System.out.println("4 raw");
        say("printf '5 child'");
        System.out.println("\n6 raw");
        context.getLogger().info("7 logged");
        return "";
    }
}
