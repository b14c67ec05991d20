package sqlite

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
)

const testSeed = 12345

// logOf is the file of a log with these frames, as from a sequence number on.
func logOf(seq int64, bursts ...[2]string) (file []byte, ends []int) {
	file, sum := make([]byte, logHead), uint32(testSeed)
	for _, b := range bursts {
		frame := append(append(make([]byte, frameHead), b[0]...), b[1]...)
		sum = seal(frame, seq, len(b[0]), sum)
		seq++
		file = append(file, frame...)
		ends = append(ends, len(file))
	}
	return file, ends
}

// scanned are the bursts that a scan finds, and where the last one ends.
func scanned(file []byte) (all [][2]string, end int64, err error) {
	for s := newScan(bytes.NewReader(file), int64(len(file)), testSeed); ; {
		f, b, ok, err := s.next()
		if err != nil || !ok {
			return all, s.end, err
		}
		head, payloads := f.parts(b)
		all = append(all, [2]string{string(head), string(payloads)})
	}
}

var threeBursts = [][2]string{{"head one", "payloads"}, {"two", ""}, {"", strings.Repeat("three", 20)}}

// TestACutFrameEndsTheChain, at whatever byte it was cut, and whatever stands behind.
func TestACutFrameEndsTheChain(t *testing.T) {
	file, ends := logOf(7, threeBursts...)
	if all, end, err := scanned(file); err != nil || !slices.Equal(all, threeBursts) || end != int64(len(file)) {
		t.Fatalf("%q up to %d, %v", all, end, err)
	}
	earlier, _ := logOf(1, [2]string{"HEAD ONE", "PAYLOADS"}, [2]string{"TWO", ""}, [2]string{"", strings.Repeat("THREE", 20)}, [2]string{"four", "four"})
	for cut := ends[1]; cut < ends[2]; cut++ {
		for what, behind := range map[string][]byte{
			"nothing": nil, "zeros": make([]byte, 500), "an earlier pass": earlier[cut:], "itself": append([]byte{file[cut] ^ 1}, file[cut+1:]...),
		} {
			torn := append(file[:cut:cut], behind...)
			if all, end, err := scanned(torn); err != nil || !slices.Equal(all, threeBursts[:2]) || end != int64(ends[1]) {
				t.Errorf("cut at %d with %s behind: %q up to %d, %v", cut, what, all, end, err)
			}
		}
	}
}

// TestAFrameOfAnEarlierPassGoesOnFromNone, although it stands just behind the last one.
func TestAFrameOfAnEarlierPassGoesOnFromNone(t *testing.T) {
	old, _ := logOf(1, threeBursts...)
	for _, seq := range []int64{4, 5, 1 << 40} {
		file, ends := logOf(seq, [2]string{"HEAD ONE", "PAYLOADS"})
		all, end, err := scanned(append(file, old[ends[0]:]...))
		if err != nil || len(all) != 1 || end != int64(ends[0]) {
			t.Errorf("from %d on: %q up to %d, %v", seq, all, end, err)
		}
	}
}

// TestADamagedFrameIsNoCutOne: another goes on behind it.
func TestADamagedFrameIsNoCutOne(t *testing.T) {
	file, ends := logOf(1, threeBursts...)
	for at := logHead + frameHead; at < ends[0]; at++ {
		damaged := bytes.Clone(file)
		damaged[at] ^= 4
		if _, _, err := scanned(damaged); err == nil || !strings.Contains(err.Error(), "frame 1 at byte 32 is damaged") {
			t.Errorf("byte %d: %v", at, err)
		}
	}
}

// FuzzLog: whatever stands behind a frame, it is read as it was written, and what is read behind it too. What looks like a
// damaged one may be an error.
func FuzzLog(f *testing.F) {
	f.Add([]byte("head"), []byte("payloads"), []byte(nil))
	f.Add([]byte(nil), []byte(nil), []byte(frameForm+"\xff\xff\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x00\x00\x00sum."))
	file, ends := logOf(1, threeBursts...)
	f.Add([]byte(threeBursts[0][0]), []byte(threeBursts[0][1]), file[ends[0]:])
	damaged := bytes.Clone(file[ends[0]:])
	damaged[frameHead] ^= 1
	f.Add([]byte(threeBursts[0][0]), []byte(threeBursts[0][1]), damaged)
	f.Fuzz(func(t *testing.T, head, payloads, behind []byte) {
		file, ends := logOf(1, [2]string{string(head), string(payloads)})
		all, end, err := scanned(append(file, behind...))
		if err != nil && !errors.Is(err, errLog) || len(all) == 0 || all[0] != [2]string{string(head), string(payloads)} || end < int64(ends[0]) {
			t.Fatalf("%q up to %d, %v", all, end, err)
		}
		if again, _ := logOf(1, all...); !bytes.Equal(again, append(file, behind...)[:end]) {
			t.Errorf("%q is written otherwise", all)
		}
		if _, end, err := scanned(append(make([]byte, logHead), behind...)); err == nil && end > int64(logHead+len(behind)) {
			t.Errorf("alone it is read up to %d", end)
		}
	})
}
