package handlers;

/** A class that implements none of the interfaces. */
public class NotAHandler {
    public String handleRequest() {
        return "never";
    }
}
