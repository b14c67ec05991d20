package example;

import com.aliyun.fc.runtime.Context;
import com.aliyun.fc.runtime.PojoRequestHandler;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Date;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Functions from objects to objects. */
public class Pojos {
    public enum Colour {
        RED, GREEN {
            @Override
            public String toString() {
                return "green as grass";
            }
        }
    }

    public static class Base {
        public String id;
        private transient int calls = 7;
        static int made;
    }

    /** Has a property of every kind; what it reads it writes. */
    public static class Order extends Base {
        private String name;
        private int count;
        private boolean open;
        private Item first;
        public List<Item> items;
        public Map<String, Integer> stock;
        public Set<Colour> colours;
        public int[] numbers;
        public Item[] more;
        public byte[] bytes;
        public Date when;
        public long big;
        public double price;
        public Float ratio;
        public char letter;
        public Boolean sure;
        public BigDecimal exact;
        public BigInteger huge;
        public Object any;
        private String hidden = "never shown";
        public final int fixed = 1;

        public String getName() {
            return name;
        }

        public void setName(String name) {
            this.name = name;
        }

        public int getCount() {
            return count;
        }

        public void setCount(int count) {
            this.count = count;
        }

        public boolean isOpen() {
            return open;
        }

        public void setOpen(boolean open) {
            this.open = open;
        }

        public Item getFirst() {
            return first;
        }

        public String getURL() {
            return "made from " + name;
        }
    }

    public static class Item {
        public String label;
        public Item next;
    }

    public static class Whole implements PojoRequestHandler<Order, Order> {
        @Override
        public Order handleRequest(Order input, Context context) {
            return input;
        }
    }

    public static class Texts implements PojoRequestHandler<String, String> {
        @Override
        public String handleRequest(String input, Context context) {
            return input == null ? null : input.toUpperCase();
        }
    }

    public static class Sum implements PojoRequestHandler<List<Integer>, Integer> {
        @Override
        public Integer handleRequest(List<Integer> input, Context context) {
            int sum = 0;
            for (int n : input) {
                sum += n;
            }
            return sum;
        }
    }

    @SuppressWarnings("rawtypes")
    public static class Raw implements PojoRequestHandler {
        @Override
        public Object handleRequest(Object input, Context context) {
            return input instanceof Map ? ((Map) input).get("x").getClass().getSimpleName() : input;
        }
    }

    /** Says what it works on further up only. */
    public abstract static class Generic<A, B> implements PojoRequestHandler<List<B>, A> {
        abstract A one(B input);

        @Override
        public A handleRequest(List<B> input, Context context) {
            return input.isEmpty() ? null : one(input.get(0));
        }
    }

    public static class Box<T> {
        public T value;
        public List<T> rest = new ArrayList<T>();
    }

    public static class Concrete extends Generic<String, Box<Item>> {
        @Override
        String one(Box<Item> input) {
            return input.value.label + input.rest.get(0).label;
        }
    }

    public static class Circle implements PojoRequestHandler<Item, Item> {
        @Override
        public Item handleRequest(Item input, Context context) {
            input.next = input;
            return input;
        }
    }

    public static class Lazy implements PojoRequestHandler<Map<String, Object>, Runnable> {
        @Override
        public Runnable handleRequest(Map<String, Object> input, Context context) {
            throw new IllegalStateException("thrown by the handler");
        }
    }

    public static class Settles {
        private int n;

        public int getN() {
            return n;
        }

        public void setN(int n) {
            if (n < 0) {
                throw new IllegalArgumentException("n is below zero");
            }
            this.n = n;
        }
    }

    public static class Setter implements PojoRequestHandler<Settles, Settles> {
        @Override
        public Settles handleRequest(Settles input, Context context) {
            return input;
        }
    }

    public static class Unmade implements PojoRequestHandler<Runnable, String> {
        @Override
        public String handleRequest(Runnable input, Context context) {
            return "x";
        }
    }
}
