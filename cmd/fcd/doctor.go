package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"fcd/cmd/fcd/daemon"
	"fcd/config"
	"fcd/invoker/sandbox"
	"fcd/invoker/sandbox/native"
)

// finding is one thing that the doctor looked at.
type finding struct {
	What   string `json:"what"`
	State  string `json:"state"` // ok, warn or fail
	Detail string `json:"detail"`
}

const (
	findingOK   = "ok"
	findingWarn = "warn"
	findingFail = "fail"
)

func newDoctor(p *profile) *cobra.Command {
	var file, output string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what this host can and cannot do, and why",
		Long: `Look at the host as a daemon would: the sandbox (by starting one), the interpreters, the data directory, a running
daemon. Nothing is changed. The exit code is 1 if functions cannot run here.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "text" && output != "json" {
				return usagef("--output is %q: it must be text or json", output)
			}
			c, err := loadConfig(file, p)
			if err != nil {
				return err
			}
			if c.Sandbox.Driver == "native" {
				if err := native.EnterRootless(); err != nil {
					fmt.Fprintln(cmd.ErrOrStderr(), "fcd:", err) // the sandbox's finding says it again, with the rest
				}
			}
			return report(examine(cmd.Context(), c), output, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&file, "config", os.Getenv("FCD_CONFIG"), "configuration file (FCD_CONFIG)")
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

// examine makes all findings.
func examine(ctx context.Context, c *config.Config) []finding {
	all := examineSandbox(c)
	all = append(all, examineRuntimes(c)...)
	all = append(all, examineDataDir(c), examineDaemon(ctx, c))
	all = append(all, examineParked(c)...)
	return append(all, examineLeftovers(ctx, c)...)
}

func examineSandbox(c *config.Config) []finding {
	what := "sandbox " + c.Sandbox.Driver
	dir, err := os.MkdirTemp("", "fcd-doctor")
	if err != nil {
		return []finding{{what, findingFail, err.Error()}}
	}
	defer os.RemoveAll(dir)
	trial := *c
	trial.DataDir = dir // a daemon may be running on the other
	driver, err := daemon.NewSandbox(&trial, daemon.SandboxOptions{ID: filepath.Base(dir), Trial: true})
	if err != nil {
		return []finding{{what, findingFail, err.Error()}}
	}
	defer driver.Close()
	caps, err := driver.Probe()
	if err != nil {
		return []finding{{what, findingFail, err.Error()}}
	}
	how := "works, as root"
	if caps.Rootless {
		how = "works, as an ordinary user"
	}
	all := []finding{{what, findingOK, how}, examinePool(c, caps)}
	delete(caps.Missing, "Claim")
	if caps.Shared {
		all[0].State, all[0].Detail = findingWarn, how+", and contains functions weakly: for one's own code only"
	}
	for _, what := range slices.Sorted(maps.Keys(caps.Missing)) {
		all = append(all, finding{"sandbox " + what, findingWarn, caps.Missing[what]})
	}
	return all
}

// examinePool tells whether interpreters can wait for functions. The probe has tried it on a real sandbox.
func examinePool(c *config.Config, caps sandbox.Caps) finding {
	const what = "warm pool"
	switch {
	case c.Pool.Max == 0:
		return finding{what, findingOK, "off by configuration (pool.max): each function's first call starts an interpreter"}
	case !caps.Claim:
		return finding{what, findingWarn, "each function's first call starts an interpreter, as a running sandbox cannot be given code: " +
			caps.Missing["Claim"]}
	}
	return finding{what, findingOK, "first calls claim a sandbox whose interpreter runs already"}
}

func examineRuntimes(c *config.Config) []finding {
	statuses, err := runtimeStatuses(c)
	if err != nil {
		return []finding{{"runtimes", findingFail, err.Error()}}
	}
	var all []finding
	for _, s := range statuses {
		f := finding{"runtime " + s.Name, findingOK, strings.Join(slices.DeleteFunc([]string{s.Version, s.Origin, s.Path}, func(part string) bool { return part == "" }), ", ")}
		if !s.Ready {
			f.State, f.Detail = findingWarn, s.Reason
		}
		all = append(all, f)
	}
	return all
}

// examineDataDir looks at the folder, or at the nearest one above it that exists.
func examineDataDir(c *config.Config) finding {
	dir := c.DataDir
	for {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	what := "data directory " + c.DataDir
	if err := unix.Access(dir, unix.W_OK); err != nil {
		return finding{what, findingFail, fmt.Sprintf("%s is not writable: %v", dir, err)}
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return finding{what, findingFail, err.Error()}
	}
	free := int64(fs.Bavail) * fs.Bsize
	if least := c.Queue.MinFreeBytes; free < least {
		return finding{what, findingWarn, fmt.Sprintf("%d MiB free: below %d MiB (queue.minFreeBytes) no asynchronous invocation is accepted", free>>20, least>>20)}
	}
	return finding{what, findingOK, fmt.Sprintf("writable, %d MiB free", free>>20)}
}

func examineDaemon(ctx context.Context, c *config.Config) finding {
	e, err := daemon.ReadEndpoint(c.DataDir)
	if err != nil {
		return finding{"daemon", findingOK, "none is running on this data directory"}
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, e.Admin+"/readyz", nil)
	if err != nil {
		return finding{"daemon", findingWarn, err.Error()}
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return finding{"daemon", findingWarn, fmt.Sprintf("%s is there but nobody answers: %v", daemon.EndpointFile, err)}
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if res.StatusCode != http.StatusOK {
		return finding{"daemon", findingWarn, string(body)}
	}
	return finding{"daemon", findingOK, "ready at " + e.API}
}

// report prints the findings and fails if one of them is a failure.
func report(all []finding, output string, w io.Writer) error {
	if output == "json" {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		if err := enc.Encode(all); err != nil {
			return err
		}
	} else {
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		for _, f := range all {
			fmt.Fprintf(table, "%s\t%s\t%s\n", f.State, f.What, f.Detail)
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	if i := slices.IndexFunc(all, func(f finding) bool { return f.State == findingFail }); i >= 0 {
		return fmt.Errorf("%s: %s", all[i].What, all[i].Detail)
	}
	return nil
}
