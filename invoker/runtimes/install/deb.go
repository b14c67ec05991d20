package install

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// maxWindow bounds the memory that a compressed file may ask for to be read. Debian's xz -9 asks for 64 MiB.
const maxWindow = 64 << 20

// debFiles gives the files of a Debian package: the tar archive that stands in an ar archive as data.tar, compressed or
// not. The file of control data with its scripts is passed over.
func debFiles(r io.Reader) (*tar.Reader, error) {
	members := newArReader(r)
	first, err := members.next()
	if err != nil {
		return nil, err
	}
	if first != "debian-binary" {
		return nil, fmt.Errorf("debian package: the first member is %q, not debian-binary", first)
	}
	version, err := io.ReadAll(io.LimitReader(members, 16))
	if err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(version, []byte("2.")) {
		return nil, fmt.Errorf("debian package: format %q, wanted 2.0", bytes.TrimSpace(version))
	}
	for {
		name, err := members.next()
		if errors.Is(err, io.EOF) {
			return nil, errors.New("debian package: no data.tar in it")
		}
		if err != nil {
			return nil, err
		}
		if compression, ok := strings.CutPrefix(name, "data.tar"); ok {
			plain, err := decompress(compression, members)
			if err != nil {
				return nil, fmt.Errorf("debian package: %s: %w", name, err)
			}
			return tar.NewReader(plain), nil
		}
	}
}

// decompress reads what is packed as a file extension says.
func decompress(extension string, r io.Reader) (io.Reader, error) {
	switch extension {
	case "":
		return r, nil
	case ".gz":
		return gzip.NewReader(r)
	case ".xz":
		return newXZ(r)
	case ".zst":
		d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, err
		}
		return d, nil // with one decoder there is nothing to close but memory
	}
	return nil, fmt.Errorf("unknown compression %q", extension)
}

// newXZ refuses a dictionary that would take more memory than a package needs. Its size stands in the header of the first
// block, behind 12 bytes of stream header: the header's length in words, flags, two optional sizes, each of bytes with a
// high bit but the last, then the id of the one filter (LZMA2, 0x21), the length of its properties (1) and the size of
// the dictionary as 2 or 3 times a power of two.
func newXZ(r io.Reader) (io.Reader, error) {
	b := bufio.NewReader(r)
	head, err := b.Peek(12 + 2)
	if err != nil {
		return nil, err
	}
	if head, err = b.Peek(12 + 4*(int(head[12])+1)); err != nil {
		return nil, err
	}
	at, flags := 14, head[13]
	for _, present := range []bool{flags&0x40 != 0, flags&0x80 != 0} {
		for present && at < len(head)-3 {
			present = head[at]&0x80 != 0
			at++
		}
	}
	if at+2 >= len(head) || flags&3 != 0 || head[at] != 0x21 || head[at+1] != 1 || dictionary(head[at+2]) > maxWindow {
		return nil, fmt.Errorf("xz: block header %x is not one of a package", head[12:])
	}
	return xz.ReaderConfig{SingleStream: true}.NewReader(b)
}

// dictionary is the size that LZMA2 writes as one byte.
func dictionary(b byte) uint64 { return (2 | uint64(b)&1) << (min(b, 40)/2 + 11) }

// arReader reads the members of an ar archive one after the other; Read reads the current one.
type arReader struct {
	r     io.Reader
	left  int64 // of the current member
	pad   int64 // behind it
	begun bool
}

func newArReader(r io.Reader) *arReader { return &arReader{r: r} }

const (
	arMagic  = "!<arch>\n"
	arHeader = 60 // name 16, time 12, owner 6, group 6, mode 8, size 10, end 2
)

// next goes to the next member and gives its name; io.EOF after the last.
func (a *arReader) next() (string, error) {
	if !a.begun {
		magic := make([]byte, len(arMagic))
		if _, err := io.ReadFull(a.r, magic); err != nil || string(magic) != arMagic {
			return "", errors.New("ar archive: it does not begin as one")
		}
		a.begun = true
	}
	if n, err := io.Copy(io.Discard, io.LimitReader(a.r, a.left+a.pad)); err != nil {
		return "", err
	} else if n < a.left {
		return "", io.ErrUnexpectedEOF
	}
	a.left, a.pad = 0, 0
	head := make([]byte, arHeader)
	if _, err := io.ReadFull(a.r, head); err != nil {
		return "", err
	}
	size, err := strconv.ParseInt(strings.TrimRight(string(head[48:58]), " "), 10, 64)
	if err != nil || size < 0 || string(head[58:]) != "`\n" {
		return "", fmt.Errorf("ar archive: header %q is not one", head)
	}
	a.left, a.pad = size, size&1
	return strings.TrimRight(strings.TrimRight(string(head[:16]), " "), "/"), nil
}

func (a *arReader) Read(p []byte) (int, error) {
	if a.left == 0 {
		return 0, io.EOF
	}
	n, err := a.r.Read(p[:min(int64(len(p)), a.left)])
	a.left -= int64(n)
	if errors.Is(err, io.EOF) && a.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}
