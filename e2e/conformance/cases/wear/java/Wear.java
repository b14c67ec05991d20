package wear;

import com.aliyun.fc.runtime.Context;

import java.io.FileOutputStream;
import java.io.OutputStream;

import shared.Answers;

/** Does, by its event, all that may leave something behind: children, files, open pipes. */
public class Wear extends Answers {
    @Override
    protected String answer(String way, Context context) throws Exception {
        if (!way.equals("ok")) {
            new ProcessBuilder("sleep", "1000").inheritIO().start();
            try (OutputStream out = new FileOutputStream("/tmp/" + context.getRequestId())) {
                out.write(new byte[1 << 20]);
            }
        }
        switch (way) {
            case "exit":
                System.exit(1);
            case "thrown":
                Runtime.getRuntime().halt(1);
            case "never":
                Thread.sleep(1_000_000);
            default:
                return way;
        }
    }
}
