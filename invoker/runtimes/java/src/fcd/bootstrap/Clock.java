package fcd.bootstrap;

/** Writes times as log lines carry them. The library's own calendars would cost an instance's first line 20 ms. */
final class Clock {
    private Clock() {
    }

    /** Appends 2016-08-18T05:38:41.401Z, always UTC. */
    static void append(StringBuilder to, long millis) {
        long day = Math.floorDiv(millis, 86400000L);
        int rest = (int) Math.floorMod(millis, 86400000L);
        date(to, day);
        to.append('T');
        digits(to, rest / 3600000, 2);
        to.append(':');
        digits(to, rest / 60000 % 60, 2);
        to.append(':');
        digits(to, rest / 1000 % 60, 2);
        to.append('.');
        digits(to, rest % 1000, 3);
        to.append('Z');
    }

    /** Counts in years that begin in March, so that the day a leap year adds is the last. */
    private static void date(StringBuilder to, long day) {
        long shifted = day + 719468; // days since 0000-03-01
        long era = Math.floorDiv(shifted, 146097L); // of 400 years
        int ofEra = (int) Math.floorMod(shifted, 146097L);
        int year = (ofEra - ofEra / 1460 + ofEra / 36524 - ofEra / 146096) / 365;
        int ofYear = ofEra - (365 * year + year / 4 - year / 100);
        int month = (5 * ofYear + 2) / 153;
        digits(to, (int) (era * 400) + year + (month >= 10 ? 1 : 0), 4);
        to.append('-');
        digits(to, month < 10 ? month + 3 : month - 9, 2);
        to.append('-');
        digits(to, ofYear - (153 * month + 2) / 5 + 1, 2);
    }

    private static void digits(StringBuilder to, int value, int width) {
        for (int unit = width == 4 ? 1000 : width == 3 ? 100 : 10; unit > 0; unit /= 10) {
            to.append((char) ('0' + value / unit % 10));
        }
    }
}
