package install

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// script makes a package client that answers as told.
func script(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "client")
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestWhatPackageClientsSay(t *testing.T) {
	deb, tgz := Package{Name: "dash", Version: "1", Suite: "old", Path: "pool/dash_1_amd64.deb", SHA256: "00"}, Package{Name: "node", Version: "1"}
	targets := `echo "main http://mirror.invalid/debian/"`
	tests := []struct {
		name        string
		p           Package
		get, helper string
		npm, want   string
		notServed   bool
	}{
		{name: "npm brings it", p: tgz, npm: `echo content >"$4/node-1.tgz"`},
		{name: "npm has no such version", p: tgz, npm: `echo "npm error code ETARGET" >&2; echo "npm error notarget No matching version" >&2; exit 1`,
			want: "client: code ETARGET; notarget No matching version: not served", notServed: true},
		{name: "npm has no network", p: tgz, npm: `echo "npm error code EAI_AGAIN" >&2; echo "npm error request to https://me:secret@registry.invalid/node failed" >&2; exit 1`,
			want: "client: code EAI_AGAIN; request to https://registry.invalid/node failed: exit status 1"},
		{name: "apt brings it", p: deb, get: targets, helper: `test "$2 $4" = "http://mirror.invalid/debian/pool/dash_1_amd64.deb SHA256:00" && echo content >"$3"`},
		{name: "apt finds it gone", p: deb, get: targets, helper: `echo "E: Failed to fetch http://mirror.invalid/x  404  Not Found" >&2; exit 100`,
			want: "client: Failed to fetch http://mirror.invalid/x  404  Not Found: not served", notServed: true},
		{name: "apt gets other bytes", p: deb, get: targets, helper: `echo x >"$3.FAILED"; echo "E: Hash Sum mismatch" >&2; exit 100`,
			want: "dash_1_amd64.deb: its bytes differ from the pinned checksum: client: Hash Sum mismatch: exit status 100"},
		{name: "no Debian archive", p: deb, get: `echo "main http://mirror.invalid/ubuntu/"; echo "contrib http://mirror.invalid/debian/"`, want: errNoArchive.Error()},
		{name: "a client that says nothing", p: tgz, npm: `exit 3`, want: `client: "": exit status 3`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := &clients{npm: npm{script(t, tt.npm)}, apt: &apt{get: script(t, tt.get), helper: script(t, tt.helper)}}
			file := filepath.Join(t.TempDir(), "file")
			err := c.Fetch(t.Context(), tt.p, file, func(int64) {})
			if tt.want == "" {
				if b, readErr := os.ReadFile(file); err != nil || readErr != nil || string(b) != "content\n" {
					t.Errorf("%v, %v, %q", err, readErr, b)
				}
				return
			}
			if err == nil || err.Error() != tt.want || errors.Is(err, ErrNotServed) != tt.notServed {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
	t.Run("a client that is not there", func(t *testing.T) {
		err := npm{"absent-client"}.fetch(t.Context(), tgz, filepath.Join(t.TempDir(), "file"), func(int64) {})
		if err == nil || !strings.Contains(err.Error(), "the package client absent-client is not on this host") {
			t.Error(err)
		}
	})
	t.Run("a client that hangs", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if err := runClient(ctx, script(t, "sleep 100 & wait")); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

func TestReadIndexEntry(t *testing.T) {
	old := Package{Name: "libc6", Suite: "sid", Version: "1"}
	sum := strings.Repeat("ab", 32)
	entry := "Package: libc6\nVersion: 2.44-1\nDepends: a (= 1), b\nFilename: pool/main/g/glibc/libc6_2.44-1_amd64.deb\nSize: 1866392\nSHA256: " + sum + "\n"
	want := Package{Name: "libc6", Version: "2.44-1", Suite: "sid", Path: "pool/main/g/glibc/libc6_2.44-1_amd64.deb", Size: 1866392, SHA256: sum}
	if got, err := readIndexEntry(old, entry+"\nPackage: libc6\nVersion: 9\n"); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := readIndexEntry(old, "Package: libc6\nVersion: 2\n"); err == nil || err.Error() != "libc6: the index of sid has no complete entry" {
		t.Error(err)
	}
}

// The signed index of a release that no longer changes, read by the host's apt.
func TestRealIndexNamesThePin(t *testing.T) {
	if os.Getenv("FCD_RUNTIMES_DIR") == "" {
		t.Skip("FCD_RUNTIMES_DIR names no folder to install into; make test does")
	}
	want := bullseyeLibs[0]
	old := want
	old.Version, old.Path, old.Size, old.SHA256 = "1", "gone", 1, "gone"
	got, err := newClients().Newest(t.Context(), old)
	if err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}
