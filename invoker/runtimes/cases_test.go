package runtimes

import (
	"fmt"
	"strings"
)

func caseFile(prefix string, i int, suffix string) string {
	return fmt.Sprintf("%s%d%s", prefix, i, suffix)
}

// pythonSpaces writes the trailing space that Python 2 leaves behind a comma when it indents JSON.
func pythonSpaces(in interpreter, text string) string {
	space := ""
	if in.major == 2 {
		space = " "
	}
	return strings.ReplaceAll(text, "SP", space)
}
