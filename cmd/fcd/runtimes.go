package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"fcd/config"
	"fcd/invoker/runtimes"
	"fcd/invoker/runtimes/install"
)

func newRuntimes(p *profile) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "runtimes",
		Short: "The interpreters that run functions: fetch them, list them",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newRuntimesInstall(p), newRuntimesList(p))
	return cmd
}

func newRuntimesInstall(p *profile) *cobra.Command {
	var file string
	var o install.Options
	known := strings.Join(install.Names(), ", ")
	cmd := &cobra.Command{
		Use:   "install NAME...|all",
		Short: "Fetch true interpreters: " + known,
		Long: `Fetch pinned, checksummed packages and make of each runtime a root file system of its own, which functions of that
runtime then run in: ` + known + `. No root is needed. What is there already is left alone; what was interrupted is gone on
with. Node comes from the npm registry and everything else from the Debian archive, by the package clients of this
host (npm, apt), which know its mirrors and proxies. --from names a folder or a web server instead. A daemon that
runs takes notice at its next start.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, names []string) error {
			names, err := runtimesToInstall(names)
			if err != nil {
				return err
			}
			c, err := loadConfig(file, p)
			if err != nil {
				return err
			}
			if err := makeRuntimesDir(c); err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			o.Dir, o.Log = c.InstalledRuntimes(), newLog(config.Log{Level: "info", Format: "console"})
			defer o.Log.Sync()
			return installRuntimes(ctx, o, names, newProgress(cmd.OutOrStdout()))
		},
	}
	cmd.Flags().StringVar(&file, "config", os.Getenv("FCD_CONFIG"), "configuration file (FCD_CONFIG)")
	cmd.Flags().StringVar(&o.From, "from", "", "folder or http(s) URL that holds the packages under their file names; default: npm and apt")
	cmd.Flags().BoolVar(&o.AcceptNew, "accept-new", false, "where a pinned Debian package is gone, take the one that the signed index has now")
	return cmd
}

// runtimesToInstall reads the command's arguments; each name once.
func runtimesToInstall(args []string) ([]string, error) {
	known := install.Names()
	var names []string
	for _, arg := range args {
		wanted := []string{arg}
		if arg == "all" {
			wanted = known
		} else if !slices.Contains(known, arg) {
			return nil, usagef("runtime %q cannot be installed; those that can: %s, all", arg, strings.Join(known, ", "))
		}
		for _, name := range wanted {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names, nil
}

// makeRuntimesDir makes the folder, and the data directory around it as closed as the daemon would make it.
func makeRuntimesDir(c *config.Config) error {
	if c.RuntimesDir == "" {
		if err := os.MkdirAll(c.DataDir, 0o700); err != nil {
			return err
		}
	}
	return os.MkdirAll(c.InstalledRuntimes(), 0o755)
}

// installRuntimes installs one after the other and goes on after a failure: what can be had is had.
func installRuntimes(ctx context.Context, o install.Options, names []string, show progress) error {
	o.Progress = show.progress
	i, err := install.New(o)
	if err != nil {
		return err
	}
	var failed []error
	for _, name := range names {
		begin := time.Now()
		receipt, fresh, err := i.Install(ctx, name)
		if ctx.Err() != nil {
			err = errors.New("interrupted; the same command goes on with it")
		}
		if err != nil {
			failed = append(failed, err)
			show.done(name, "failed")
		} else {
			show.done(name, installedText(receipt, fresh, time.Since(begin)))
		}
		if ctx.Err() != nil {
			break
		}
	}
	show.close()
	if len(failed) == 0 {
		return i.Clean(ctx)
	}
	return errors.Join(failed...)
}

func installedText(r runtimes.Receipt, fresh bool, took time.Duration) string {
	text := fmt.Sprintf("%s is there already", r.Version)
	if fresh {
		text = fmt.Sprintf("%s installed from %s in %.1f s", r.Version, r.Source, took.Seconds())
	}
	for _, note := range r.Notes {
		text += "; " + note
	}
	return text
}

func newRuntimesList(p *profile) *cobra.Command {
	var file, output string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Say which interpreter runs the functions of each runtime, or why none does",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "text" && output != "json" {
				return usagef("--output is %q: it must be text or json", output)
			}
			c, err := loadConfig(file, p)
			if err != nil {
				return err
			}
			statuses, err := runtimeStatuses(c)
			if err != nil {
				return err
			}
			return listRuntimes(statuses, output, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&file, "config", os.Getenv("FCD_CONFIG"), "configuration file (FCD_CONFIG)")
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

// runtimeStatuses looks at the interpreters as a daemon would, and leaves nothing behind.
func runtimeStatuses(c *config.Config) ([]runtimes.Status, error) {
	dir, err := os.MkdirTemp("", "fcd-runtimes-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	o := c.RuntimesOptions()
	o.BootstrapDir, o.Log = dir, zap.NewNop()
	table, err := runtimes.New(o)
	if err != nil {
		return nil, err
	}
	return table.Statuses(), nil
}

func listRuntimes(statuses []runtimes.Status, output string, w io.Writer) error {
	if output == "json" {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(statuses)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tREADY\tVERSION\tORIGIN\tPATH\tWHY NOT")
	for _, s := range statuses {
		ready := "yes"
		if !s.Ready {
			ready = "no"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", s.Name, ready, dash(s.Version), dash(s.Origin), dash(s.Path), s.Reason)
	}
	return table.Flush()
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
