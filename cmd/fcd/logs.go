package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"fcd/api/client"
	"fcd/cmd/fcd/daemon"
	"fcd/fc"
)

func newLogs(p *profile) *cobra.Command {
	var filter logFilter
	var since time.Duration
	var follow bool
	var output string
	cmd := &cobra.Command{
		Use:   "logs SERVICE[/FUNCTION]",
		Short: "Read the log of a service or a function from its logstore",
		Example: `  fcd logs demo/hello --since 10m
  fcd logs demo --follow`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			print, err := linePrinter(output, cmd.OutOrStdout())
			if err != nil {
				return err
			}
			filter.service, filter.function, _ = strings.Cut(args[0], "/")
			e, err := p.endpoint()
			if err != nil {
				return err
			}
			r, err := openLog(cmd.Context(), e, filter.service, time.Now().Add(-since))
			if err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			return copyLog(ctx, r, filter, follow, print)
		},
	}
	cmd.Flags().DurationVar(&since, "since", time.Hour, "how far back to begin")
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on as lines arrive, until interrupted")
	cmd.Flags().StringVar(&filter.requestID, "request-id", "", "only the lines of one invocation")
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text, or json: one object a line")
	return cmd
}

func linePrinter(output string, w io.Writer) (func(logLine) error, error) {
	switch output {
	case "text":
		return func(l logLine) error { _, err := fmt.Fprintln(w, l); return err }, nil
	case "json":
		enc := json.NewEncoder(w)
		return func(l logLine) error { return enc.Encode(l) }, nil
	}
	return nil, usagef("--output is %q: it must be text or json", output)
}

// openLog finds the logstore of a service and opens it.
func openLog(ctx context.Context, e daemon.Endpoint, service string, since time.Time) (*logReader, error) {
	answer, err := client.New(e.API, e.AccessKeyID, e.AccessKeySecret).Do(ctx, http.MethodGet, "/services/"+service, nil, nil)
	if err != nil {
		return nil, err
	}
	var s struct{ LogConfig fc.LogConfig }
	if err := json.Unmarshal(answer.Body, &s); err != nil {
		return nil, fmt.Errorf("service %s: %w", service, err)
	}
	if s.LogConfig.Project == "" {
		return nil, fmt.Errorf("service %s keeps no log: its logConfig names no project", service)
	}
	return newLogReader(e, s.LogConfig.Project, s.LogConfig.Logstore, since)
}

// copyLog prints lines until there are no more or, to follow, until ctx ends.
func copyLog(ctx context.Context, r *logReader, f logFilter, follow bool, print func(logLine) error) error {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		lines, err := r.next(f)
		if err != nil {
			return err
		}
		for _, l := range lines {
			if err := print(l); err != nil {
				return err
			}
		}
		if !follow {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
