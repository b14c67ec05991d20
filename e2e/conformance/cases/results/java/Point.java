package results;

/** A plain object with accessors. */
public class Point {
    private int x;
    private String label;

    public int getX() {
        return x;
    }

    public void setX(int x) {
        this.x = x;
    }

    public String getLabel() {
        return label;
    }

    public void setLabel(String label) {
        this.label = label;
    }
}
