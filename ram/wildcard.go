package ram

// match tells whether pattern covers s, where "*" stands for any run of bytes and "?" for one. It runs in constant space
// and, whatever the pattern, in at most len(pattern)*len(s) steps. With fold, ASCII letters compare without case.
func match(pattern, s string, fold bool) bool {
	p, i := 0, 0
	star, mark := -1, 0 // the last "*" and where its run ends so far
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || sameByte(pattern[p], s[i], fold)):
			p++
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

func sameByte(a, b byte, fold bool) bool {
	return a == b || fold && lower(a) == lower(b)
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
