package fcd.bootstrap;

/** The class or method that a handler names is not there or is of no use; shown to the caller as it stands. */
final class LoadFailure extends Exception {
    private static final long serialVersionUID = 1;

    final String kind; // the class of the error
    final String type; // shown as errorType; null = the message is all there is
    final String cause; // shown as errorCause

    private LoadFailure(String kind, String message, String type, String cause) {
        super(message, null, false, false);
        this.kind = kind;
        this.type = type;
        this.cause = cause;
    }

    static LoadFailure form(String handler) {
        return new LoadFailure(Failure.NO_HANDLER, "Invalid handler '" + handler + "'", null, null);
    }

    static LoadFailure noClass(String name) {
        String message = "Cannot find the class " + name + " in your zip file and please make sure it is in the right path '"
                + name.replace('.', '/') + "'";
        return new LoadFailure(Failure.IMPORT, message, "java.lang.ClassNotFoundException", name);
    }

    static LoadFailure noMethod(String name, String method, String wanted) {
        String message = "Handler '" + method + "' missing on class '" + name + "', it must be '" + wanted + "'";
        return new LoadFailure(Failure.NO_HANDLER, message, "java.lang.NoSuchMethodException", name + "." + method);
    }

    static LoadFailure noConstructor(String name, String why) {
        String message = "The class " + name + " " + why;
        return new LoadFailure(Failure.NO_HANDLER, message, "java.lang.InstantiationException", name);
    }

    static LoadFailure noInterface(String name, String wanted) {
        String message = "The class " + name + " does not implement " + wanted;
        return new LoadFailure(Failure.NO_HANDLER, message, "java.lang.ClassCastException", name);
    }
}
