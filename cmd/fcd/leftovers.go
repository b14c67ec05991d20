package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"fcd/cmd/fcd/daemon"
	"fcd/config"
)

// leftovers are the numbers of a daemon that should be 0, and what to do about them where they are not.
var leftovers = []struct{ what, metric, advice string }{
	{"dead letters", "fcd_sqlite_dead_letters", "wait to be redone: fcd deadletter list"},
	{"dead letters dropped", `fcd_sqlite_dead_letters_dropped_total{reason="size"}`, "made room for newer ones: raise deadLetters.maxBytes"},
	{"log lines dropped", `fcd_logsink_lines_total{result="dropped"}`, "found the spool full or the disk: see logs.spool, and whether the logstore takes them"},
	{"log lines rejected", `fcd_logsink_lines_total{result="rejected"}`, "are refused by their logstore for their content: see spool/rejected in the data directory"},
}

// examineLeftovers asks a running daemon for what it could not bring to a good end since its start. Nothing is said of a
// daemon that does not run, or that has nothing of the kind.
func examineLeftovers(ctx context.Context, c *config.Config) (all []finding) {
	e, err := daemon.ReadEndpoint(c.DataDir)
	if err != nil || e.Admin == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	numbers, err := readMetrics(ctx, e.Admin+"/metrics")
	if err != nil {
		return nil // its own finding says that it does not answer
	}
	for _, l := range leftovers {
		if n := numbers[l.metric]; n > 0 {
			all = append(all, finding{l.what, findingWarn, fmt.Sprintf("%.0f %s", n, l.advice)})
		}
	}
	return all
}

// readMetrics reads the Prometheus text format; comments and what is no number are passed over.
func readMetrics(ctx context.Context, url string) (map[string]float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	all := map[string]float64{}
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		name, value, ok := cutLast(lines.Text())
		if n, err := strconv.ParseFloat(value, 64); ok && err == nil {
			all[name] = n
		}
	}
	return all, lines.Err()
}

// cutLast splits a line at its last space.
func cutLast(line string) (before, after string, ok bool) {
	i := strings.LastIndexByte(line, ' ')
	if i < 0 || strings.HasPrefix(line, "#") {
		return "", "", false
	}
	return line[:i], line[i+1:], true
}
