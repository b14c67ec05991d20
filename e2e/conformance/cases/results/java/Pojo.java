package results;

import com.aliyun.fc.runtime.Context;
import com.aliyun.fc.runtime.PojoRequestHandler;

/** An object is read from JSON and written as JSON. */
public class Pojo implements PojoRequestHandler<Point, Point> {
    @Override
    public Point handleRequest(Point input, Context context) {
        input.setX(input.getX() + 1);
        return input;
    }
}
