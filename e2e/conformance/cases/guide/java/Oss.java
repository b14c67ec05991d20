package guide;

import com.aliyun.fc.runtime.Context;
import com.aliyun.fc.runtime.PojoRequestHandler;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The guide's OSS event, read as an object. */
public class Oss implements PojoRequestHandler<Oss.Events, Map<String, Object>> {
    /** What a bucket sends. */
    public static class Events {
        private List<Map<String, Object>> events;

        public List<Map<String, Object>> getEvents() {
            return events;
        }

        public void setEvents(List<Map<String, Object>> events) {
            this.events = events;
        }
    }

    @Override
    public Map<String, Object> handleRequest(Events event, Context context) {
        Map<String, Object> first = event.getEvents().get(0);
        Map<?, ?> oss = (Map<?, ?>) first.get("oss");
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("event", first.get("eventName"));
        answer.put("bucket", ((Map<?, ?>) oss.get("bucket")).get("name"));
        answer.put("key", ((Map<?, ?>) oss.get("object")).get("key"));
        answer.put("size", ((Map<?, ?>) oss.get("object")).get("size"));
        return answer;
    }
}
