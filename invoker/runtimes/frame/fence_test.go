package frame

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseFence(t *testing.T) {
	token := NewToken()
	other := NewToken()
	whole := token.AppendFence(nil, FenceStart, "req-1")
	tests := []struct {
		name string
		in   []byte
		want Fence
		n    int
	}{
		{"a whole fence", whole, Fence{FenceStart, []byte("req-1")}, len(whole)},
		{"an end fence with text behind it", append(token.AppendFence(nil, FenceEnd, "a"), "text"...), Fence{FenceEnd, []byte("a")}, 20},
		{"nothing yet", nil, Fence{}, -1},
		{"plain text", []byte("hello\n"), Fence{}, 0},
		{"a lone zero byte", []byte{0}, Fence{}, -1},
		{"a zero byte and text", []byte("\x00hello"), Fence{}, 0},
		{"another instance's token", other.AppendFence(nil, FenceStart, "req-1"), Fence{}, 0},
		{"an unknown mark", append(append([]byte{0}, token[:]...), 'X'), Fence{}, 0},
		{"an empty id", token.AppendFence(nil, FenceStart, ""), Fence{}, 0},
		{"an id with a space", token.AppendFence(nil, FenceStart, "a b"), Fence{}, 0},
		{"an unfinished id with a control character", append(append(append([]byte{0}, token[:]...), 'S'), "a\x01"...), Fence{}, 0},
		{"the longest id", token.AppendFence(nil, FenceStart, strings.Repeat("i", MaxID)), Fence{FenceStart, []byte(strings.Repeat("i", MaxID))}, MaxID + 19},
		{"an id beyond it", token.AppendFence(nil, FenceStart, strings.Repeat("i", MaxID+1)), Fence{}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, n := token.ParseFence(tt.in)
			if !cmp.Equal(got, tt.want) || n != tt.n {
				t.Errorf("got %+v, %d; want %+v, %d", got, n, tt.want, tt.n)
			}
		})
	}
}

func TestEveryBeginningOfAFenceIsHeldBack(t *testing.T) {
	token := NewToken()
	whole := token.AppendFence(nil, FenceEnd, strings.Repeat("9", MaxID))
	for i := range whole {
		if f, n := token.ParseFence(whole[:i]); n != -1 {
			t.Fatalf("%d of %d bytes: %+v, %d", i, len(whole), f, n)
		}
	}
}

func FuzzParseFence(f *testing.F) {
	token := Token{1, 2, 3, '\n', 0, 'S'}
	f.Add(token.AppendFence(nil, FenceStart, "id"))
	f.Add(append([]byte{0}, token[:]...))
	f.Fuzz(func(t *testing.T, in []byte) {
		fence, n := token.ParseFence(in)
		if n > 0 && string(token.AppendFence(nil, fence.Mark, string(fence.ID))) != string(in[:n]) {
			t.Errorf("%q read as %+v", in, fence)
		}
		if n == -1 && len(in) > MaxID+19 {
			t.Errorf("%d bytes held back", len(in))
		}
	})
}
