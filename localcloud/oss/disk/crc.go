package disk

// combineCRC is the CRC-64/ECMA of two runs of bytes one after the other, from their sums and the length of the second.
// Going over n zero bytes is a linear map of the 64 bits of the sum; it is built by squaring the map of one bit.
func combineCRC(first, second uint64, n int64) uint64 {
	const poly = 0xC96C5795D7870F42
	var odd, even matrix
	odd[0] = poly
	for i := 1; i < 64; i++ {
		odd[i] = 1 << (i - 1)
	}
	even.square(&odd) // 2 zero bits
	odd.square(&even) // 4 zero bits
	for cur, next := &odd, &even; n > 0; n >>= 1 {
		next.square(cur) // first 8 bits: one byte
		if n&1 == 1 {
			first = next.times(first)
		}
		cur, next = next, cur
	}
	return first ^ second
}

// matrix is a linear map of 64-bit vectors over GF(2), by columns.
type matrix [64]uint64

func (m *matrix) times(v uint64) (sum uint64) {
	for i := 0; v != 0; i, v = i+1, v>>1 {
		if v&1 == 1 {
			sum ^= m[i]
		}
	}
	return sum
}

func (m *matrix) square(of *matrix) {
	for i := range m {
		m[i] = of.times(of[i])
	}
}
