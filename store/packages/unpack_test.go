package packages_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fcd/fc"
	"fcd/store/packages"
)

// hostile makes the zips that must be refused, each with a part of the message it must be refused with.
func hostile(tb testing.TB) map[string]struct {
	zip  []byte
	want string
} {
	type c = struct {
		zip  []byte
		want string
	}
	one := func(name, want string) c { return c{makeZip(tb, file{name: name, body: "x"}), want} }
	link := func(name, target string) file { return file{name: name, body: target, mode: fs.ModeSymlink | 0o777} }
	typed := func(mode fs.FileMode) []byte {
		return makeZip(tb, file{name: "odd", mode: mode | 0o644})
	}
	good := makeZip(tb, file{name: "a", body: strings.Repeat("hello ", 100)})
	var many, nest []file
	for i := range 51 {
		many = append(many, file{name: fmt.Sprint("f", i)})
	}
	nest = append(nest, file{name: strings.Repeat("d/", 64) + "f", body: "x"})
	zeros := strings.Repeat("\x00", 9<<20)
	random := make([]byte, 3<<19)
	r := rand.NewChaCha8([32]byte{})
	_, _ = r.Read(random)
	return map[string]c{
		"nothing":                 {nil, "not a zip file"},
		"text":                    {[]byte("exports.handler = 1"), "not a zip file"},
		"cut short":               {good[:len(good)-10], "not a zip file"},
		"too big":                 {makeZip(tb, file{name: "a", body: string(random)}), "larger than 1048576 bytes"},
		"climbs":                  one("../evil", `"../evil"`),
		"climbs inside":           one("a/../../evil", `"a/../../evil"`),
		"climbs and comes back":   one("a/../b", `"a/../b"`),
		"absolute":                one("/etc/passwd", `"/etc/passwd" of the code package has an absolute path`),
		"backslash":               one(`..\evil`, "backslash"),
		"NUL":                     one("a\x00b", "NUL"),
		"no name":                 one("", "has no name"),
		"the package itself":      one(".", "names the package itself"),
		"long element":            one(strings.Repeat("n", 256), "element of 256 bytes"),
		"long path":               one(strings.Repeat("n/", 1100)+"f", "more than 2048"),
		"deep":                    {makeZip(tb, nest...), "65 directories deep"},
		"many entries":            {makeZip(tb, many...), "more than 50 entries"},
		"many after a prefix":     {append([]byte("#!/bin/sh\n"), makeZip(tb, many...)...), "more than 50 entries"},
		"two of one name":         {makeZip(tb, file{name: "a"}, file{name: "b"}, file{name: "a"}), `two entries named "a"`},
		"two of one clean name":   {makeZip(tb, file{name: "a"}, file{name: "./a"}), `two entries named "a"`},
		"file and directory":      {makeZip(tb, file{name: "a"}, file{name: "a/"}), `two entries named "a"`},
		"below a file":            {makeZip(tb, file{name: "a/b/c"}, file{name: "a"}), `"a/b/c" of the code package lies below "a"`},
		"below a link":            {makeZip(tb, file{name: "d/"}, link("l", "d"), file{name: "l/x"}), `"l/x" of the code package lies below "l"`},
		"absolute link":           {makeZip(tb, link("l", "/etc/passwd")), `"/etc/passwd" is absolute`},
		"link out":                {makeZip(tb, link("l", "../x")), `"l" of the code package leaves it`},
		"link out from below":     {makeZip(tb, link("a/b/l", "../../../x")), `"a/b/l" of the code package leaves it`},
		"links out together":      {makeZip(tb, link("a/b/d", "../.."), link("a/b/l", "d/../x")), `"a/b/l"`},
		"links in a circle":       {makeZip(tb, link("a", "b"), link("b", "a")), `symbolic link "a"`},
		"link to nothing at all":  {makeZip(tb, link("l", "")), "no usable target"},
		"link with a long target": {makeZip(tb, link("l", strings.Repeat("x", 2000))), "target of 2000 bytes"},
		"device":                  {typed(fs.ModeDevice), "not a file, directory or symbolic link"},
		"character device":        {typed(fs.ModeDevice | fs.ModeCharDevice), "not a file, directory or symbolic link"},
		"pipe":                    {typed(fs.ModeNamedPipe), "not a file, directory or symbolic link"},
		"socket":                  {typed(fs.ModeSocket), "not a file, directory or symbolic link"},
		"bomb by total":           {makeZip(tb, file{name: "z", body: zeros}), "more than 8388608 bytes"},
		"bomb by ratio":           {makeZip(tb, file{name: "z", body: zeros[:4<<20]}), "100 times its size"},
		"bomb by lying":           {lie(tb, makeZip(tb, file{name: "z", body: zeros[:4<<20]}), 10), `"z"`},
		"huge claim":              {lie(tb, good, 1<<32-2), "unpacks to more than"},
		"damaged content":         {damage(good), `entry "a" of the code package cannot be read`},
		"encrypted":               {flag(good, 1), "encrypted"},
		"unknown method":          {method(good, 12), "compression method 12"},
	}
}

// central is where the first header of the directory stands.
func central(b []byte) int { return bytes.Index(b, []byte("PK\x01\x02")) }

// lie changes the unpacked size that the directory claims.
func lie(tb testing.TB, b []byte, size uint32) []byte {
	tb.Helper()
	b = bytes.Clone(b)
	binary.LittleEndian.PutUint32(b[central(b)+24:], size)
	return b
}

func flag(b []byte, bits uint16) []byte {
	b = bytes.Clone(b)
	at := central(b) + 8
	binary.LittleEndian.PutUint16(b[at:], binary.LittleEndian.Uint16(b[at:])|bits)
	return b
}

func method(b []byte, m uint16) []byte {
	b = bytes.Clone(b)
	binary.LittleEndian.PutUint16(b[central(b)+10:], m)
	return b
}

// damage changes the checksum that the directory claims.
func damage(b []byte) []byte {
	b = bytes.Clone(b)
	b[central(b)+16] ^= 1
	return b
}

func TestHostileZipsAreRefusedAndLeaveNothing(t *testing.T) {
	for name, c := range hostile(t) {
		t.Run(name, func(t *testing.T) {
			outer := t.TempDir()
			dir := filepath.Join(outer, "p")
			p := newPackages(t, packages.Options{Dir: dir, Limits: smallLimits()})
			_, err := p.Put(t.Context(), bytes.NewReader(c.zip), "")
			if fc.CodeOf(err) != fc.InvalidArgument || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want InvalidArgument with %s", err, c.want)
			}
			nothingLeft(t, dir)
			if left, err := os.ReadDir(outer); err != nil || len(left) != 1 {
				t.Errorf("outside the packages: %v, %v", left, err)
			}
		})
	}
}

func TestTooManyEntriesAreCountedBeforeTheyAreRead(t *testing.T) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := range 70_000 { // past 65,535 the directory needs the 64-bit form
		if _, err := w.CreateHeader(&zip.FileHeader{Name: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for name, bytesOf := range map[string][]byte{
		"as made":             b.Bytes(),
		"with a comment":      append(comment(b.Bytes()), "hello"...),
		"with a lying number": lieCount(b.Bytes()),
	} {
		limits := fc.DefaultLimits()
		limits.MaxPackageEntries = 69_999
		_, err := newPackages(t, packages.Options{Limits: limits}).Put(t.Context(), bytes.NewReader(bytesOf), "")
		if err == nil || !strings.Contains(err.Error(), "more than 69999 entries") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// comment announces a comment of five bytes.
func comment(b []byte) []byte {
	b = bytes.Clone(b)
	b[len(b)-2] = 5
	return b
}

func lieCount(b []byte) []byte {
	b = bytes.Clone(b)
	at := bytes.LastIndex(b, []byte("PK\x06\x06"))
	binary.LittleEndian.PutUint64(b[at+24:], 3)
	binary.LittleEndian.PutUint64(b[at+32:], 3)
	return b
}

func FuzzUnpack(f *testing.F) {
	for name, c := range hostile(f) {
		if len(c.zip) < 1<<12 && name != "bomb by ratio" {
			f.Add(c.zip)
		}
	}
	f.Add(makeZip(f, file{name: "index.js", body: "x"}, file{name: "a/", mode: fs.ModeDir | 0o755}, file{name: "l", body: "a", mode: fs.ModeSymlink | 0o777}))
	outer := f.TempDir()
	f.Fuzz(func(t *testing.T, b []byte) {
		work, err := os.MkdirTemp(outer, "")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(work)
		dir := filepath.Join(work, "p")
		p := newPackages(t, packages.Options{Dir: dir, Limits: smallLimits()})
		pkg, err := p.Put(context.Background(), bytes.NewReader(b), "")
		if left, rerr := os.ReadDir(work); rerr != nil || len(left) != 1 {
			t.Fatalf("outside the packages: %v, %v", left, rerr)
		}
		if err != nil {
			if fc.CodeOf(err) != fc.InvalidArgument {
				t.Fatalf("%v", err)
			}
			nothingLeft(t, dir)
			return
		}
		tree := unpacked(t, p, pkg.SHA256)
		err = filepath.WalkDir(tree, func(name string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.Type() == fs.ModeSymlink {
				if to, err := filepath.EvalSymlinks(name); err == nil && to != tree && !strings.HasPrefix(to, tree+"/") {
					t.Errorf("%s leads to %s", name, to)
				}
			} else if !d.IsDir() && !d.Type().IsRegular() {
				t.Errorf("%s is %v", name, d.Type())
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
