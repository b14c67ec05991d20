package example;

/** Is not in the package when it is wanted. */
public class Gone {
}
