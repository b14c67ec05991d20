package install

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// ErrNotServed says that a source does not have a package in the pinned version.
var ErrNotServed = errors.New("not served")

// Source is where packages come from. What it brings is checked by the Installer.
type Source interface {
	// Fetch puts the package's bytes into file. If file exists, it is what an interrupted call left and is gone on with
	// where the source can do so. progress is told how many bytes are there. A package that the source does not have is
	// ErrNotServed.
	Fetch(ctx context.Context, p Package, file string, progress func(have int64)) error
	// Newest names what the source now serves in place of p, with a checksum that the source vouches for.
	Newest(ctx context.Context, p Package) (Package, error)
}

// newSource reads Options.From: an http or https URL, or a folder.
func newSource(from string) (Source, error) {
	if u, err := url.Parse(from); err == nil && (u.Scheme == "http" || u.Scheme == "https") {
		if u.Host == "" {
			return nil, fmt.Errorf("source %q is a URL without a host", from)
		}
		return webSource{base: u}, nil
	}
	if info, err := os.Stat(from); err != nil {
		return nil, fmt.Errorf("source: %w", err)
	} else if !info.IsDir() {
		return nil, fmt.Errorf("source %q is neither a folder nor an http URL", from)
	}
	return folderSource(from), nil
}

// folderSource is a folder that holds the packages under their file names.
type folderSource string

func (s folderSource) Fetch(_ context.Context, p Package, file string, progress func(int64)) error {
	in, err := os.Open(filepath.Join(string(s), p.File()))
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s: %w", filepath.Join(string(s), p.File()), ErrNotServed)
	}
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, &meter{r: io.LimitReader(in, p.Size+1), progress: progress})
	return errors.Join(err, out.Close())
}

func (s folderSource) Newest(_ context.Context, p Package) (Package, error) {
	return Package{}, fmt.Errorf("%s: a folder vouches for no other version: %w", p, ErrNotServed)
}

// webSource is a web server of the operator's that holds the packages under their file names.
type webSource struct{ base *url.URL }

func (s webSource) Fetch(ctx context.Context, p Package, file string, progress func(int64)) error {
	out, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	return errors.Join(s.fetch(ctx, p, out, progress), out.Close())
}

// fetch asks for what is missing and writes it where it belongs.
func (s webSource) fetch(ctx context.Context, p Package, out *os.File, progress func(int64)) error {
	have, err := out.Seek(0, io.SeekEnd)
	if err != nil || have == p.Size {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base.JoinPath(url.PathEscape(p.File())).String(), nil)
	if err != nil {
		return err
	}
	if have > 0 && have < p.Size {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", have))
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode == http.StatusNotFound || res.StatusCode == http.StatusGone:
		return fmt.Errorf("%s: status %d: %w", p.File(), res.StatusCode, ErrNotServed)
	case res.StatusCode == http.StatusPartialContent && strings.HasPrefix(res.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", have)):
	case res.StatusCode == http.StatusOK: // from the start
		have = 0
		if err := out.Truncate(0); err != nil {
			return err
		}
	default:
		return fmt.Errorf("%s: status %d", p.File(), res.StatusCode)
	}
	if _, err := out.Seek(have, io.SeekStart); err != nil {
		return err
	}
	n, err := io.Copy(out, &meter{r: io.LimitReader(res.Body, p.Size+1-have), have: have, progress: progress})
	if err == nil && have+n < p.Size {
		err = io.ErrUnexpectedEOF
	}
	return err
}

func (s webSource) Newest(_ context.Context, p Package) (Package, error) {
	return Package{}, fmt.Errorf("%s: a web server vouches for no other version: %w", p, ErrNotServed)
}

// meter tells how far a copy is.
type meter struct {
	r        io.Reader
	have     int64
	progress func(int64)
}

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	m.have += int64(n)
	m.progress(m.have)
	return n, err
}
