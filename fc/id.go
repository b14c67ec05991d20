package fc

import (
	"encoding/binary"
	"math/rand/v2"

	"github.com/google/uuid"
)

// NewRequestID makes the id of a request or an invocation: a UUID in its usual 36 characters. Ids made later sort later
// (version 7), which keeps the queue's indexes compact. An id is the only one, and no secret.
func NewRequestID() string { return uuid.Must(uuid.NewV7FromReader(random{})).String() }

// random reads the runtime's own generator (ChaCha8, seeded by the system), which never fails.
type random struct{}

func (random) Read(p []byte) (int, error) {
	var b [8]byte
	for n := 0; n < len(p); n += len(b) {
		binary.LittleEndian.PutUint64(b[:], rand.Uint64())
		copy(p[n:], b[:])
	}
	return len(p), nil
}
