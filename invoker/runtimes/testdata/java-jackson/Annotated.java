package example;

import com.aliyun.fc.runtime.Context;
import com.aliyun.fc.runtime.PojoRequestHandler;
import com.fasterxml.jackson.annotation.JsonIgnore;
import com.fasterxml.jackson.annotation.JsonProperty;

import java.util.List;

public class Annotated implements PojoRequestHandler<Annotated.Thing, Annotated.Thing> {
    public static class Thing {
        @JsonProperty("the-name")
        public String name;
        public List<String> tags;
        @JsonIgnore
        public String secret = "not shown";
    }

    @Override
    public Thing handleRequest(Thing input, Context context) {
        return input;
    }
}
