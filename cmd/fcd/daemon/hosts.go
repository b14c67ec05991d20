package daemon

import (
	"fmt"
	"os"
	"strings"
	"sync"
)

// Addresses, inside every sandbox, of the embedded services: loopback addresses of their own, so that a function keeps
// 127.0.0.1 for itself, on a port that a function cannot take.
const (
	sandboxOSS = "127.100.0.1"
	sandboxSLS = "127.100.0.2"
)

// hosts is the file shown as /etc/hosts in every sandbox. It leads the cloud's endpoint names to the embedded services,
// one line for each bucket and project, since a hosts file has no wildcards. It is rewritten in place: a running
// sandbox sees the same file.
type hosts struct {
	path   string
	region string
	domain string // of the embedded Log Service
	names  bool   // false: localhost only

	mu       sync.Mutex // one writer at a time; guards the fields below
	buckets  func() []string
	projects func() []string
}

// write brings the file up to date.
func (h *hosts) write() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	f, err := os.OpenFile(h.path, os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	text := h.text()
	if _, err := f.WriteAt([]byte(text), 0); err != nil { // longer first, then cut: a reader never sees it empty
		return err
	}
	return f.Truncate(int64(len(text)))
}

func (h *hosts) text() string {
	var b strings.Builder
	b.WriteString("127.0.0.1 localhost\n::1 localhost\n")
	if !h.names {
		return b.String()
	}
	if h.buckets != nil {
		endpoints := suffixed("oss-"+h.region, []string{"", "-internal"}, ".aliyuncs.com")
		line(&b, sandboxOSS, append([]string{"oss.fcd.local"}, endpoints...), h.buckets())
	}
	if h.projects != nil {
		endpoints := suffixed(h.region, []string{"", "-intranet"}, ".log.aliyuncs.com")
		line(&b, sandboxSLS, append([]string{h.domain}, endpoints...), h.projects())
	}
	return b.String()
}

// line writes the endpoints' names, and for each bucket or project its name before each endpoint.
func line(b *strings.Builder, address string, endpoints, labels []string) {
	fmt.Fprintf(b, "%s %s\n", address, strings.Join(endpoints, " "))
	for _, l := range labels {
		b.WriteString(address)
		for _, e := range endpoints {
			fmt.Fprintf(b, " %s.%s", l, e)
		}
		b.WriteByte('\n')
	}
}

func suffixed(head string, middles []string, tail string) []string {
	out := make([]string, len(middles))
	for i, m := range middles {
		out[i] = head + m + tail
	}
	return out
}

// setBuckets says where the names of the buckets come from.
func (h *hosts) setBuckets(buckets func() []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.buckets = buckets
}
