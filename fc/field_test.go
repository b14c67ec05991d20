package fc

import (
	"regexp"
	"testing"
)

// TestNamesAreThoseOfTheGuidesForm holds the hand-written check to the guide's regular expression, byte by byte.
func TestNamesAreThoseOfTheGuidesForm(t *testing.T) {
	form := regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)
	names := []string{"resize", "_", "a\n", "\n", "é", "aé", "a.b", "service.LATEST", "a b"}
	for c := range 256 {
		one := string([]byte{byte(c)})
		names = append(names, one, "a"+one, one+"a", "a"+one+"a")
	}
	for _, name := range names {
		if got, want := ValidateName("FunctionName", name, MaxFunctionNameLength) == nil, form.MatchString(name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}
