package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	sdnotify "github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"fcd/cmd/fcd/daemon"
	"fcd/config"
	"fcd/invoker/sandbox/native"
)

func newServe(p *profile) *cobra.Command {
	var file, ports string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the daemon until SIGTERM or SIGINT",
		Long: `Run the daemon until SIGTERM or SIGINT.

The first signal stops it in stages: no new requests, running invocations end, logs are shipped. A second one
stops at once; what was accepted is on disk and goes on at the next start.

SIGHUP reads the configuration again and takes over who may do what: users, roles, policies and how they are checked. A
file that is wrong changes nothing, and the log says what is wrong with it.

When it is ready it says so on standard output and has written endpoint.json, with the account's key, into the data
directory. Its log goes to standard error.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if ports != "config" && ports != "any" {
				return usagef("--ports is %q: it must be config or any", ports)
			}
			c, err := loadConfig(file, p)
			if err != nil {
				return err
			}
			if c.Sandbox.Driver == "native" {
				if err := native.EnterRootless(); err != nil {
					return err
				}
			}
			again := func() (*config.Config, error) { return loadConfig(file, p) }
			return serve(cmd.Context(), c, again, ports == "any", cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&file, "config", os.Getenv("FCD_CONFIG"), "configuration file (FCD_CONFIG); none: the defaults")
	cmd.Flags().StringVar(&ports, "ports", "config", "config: the configured ports; any: free ones")
	return cmd
}

// loadConfig reads the file and lets the folders of flags or environment win over the file's.
func loadConfig(file string, p *profile) (*config.Config, error) {
	c, err := config.Load(file)
	if err != nil {
		return nil, err
	}
	if dir := p.dir(); dir != "" {
		c.DataDir = dir
	}
	if p.runtimesDir != "" {
		c.RuntimesDir = p.runtimesDir
	}
	return c, nil
}

// serve runs the daemon. again reads the configuration anew, for SIGHUP.
func serve(ctx context.Context, c *config.Config, again func() (*config.Config, error), anyPorts bool, out io.Writer) error {
	log := newLog(c.Log)
	defer log.Sync()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(signals)
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP) // from now on: one that comes during the start is not the end
	defer signal.Stop(hangups)

	d, err := daemon.Open(ctx, daemon.Options{Config: c, AnyPorts: anyPorts, Log: log, HugePages: true})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		<-signals
		sdnotify.SdNotify(false, sdnotify.SdNotifyStopping)
		stop()
		<-signals
		log.Warn("second signal: stopping at once")
		d.Hurry()
	}()
	go reloads(ctx, d, hangups, again, log)
	announce(out, d, c.DataDir)
	sdnotify.SdNotify(false, sdnotify.SdNotifyReady)
	return d.Run(ctx)
}

// reloads gives the daemon the configuration anew at each signal, until ctx ends.
func reloads(ctx context.Context, d *daemon.Daemon, hangups <-chan os.Signal, again func() (*config.Config, error), log *zap.Logger) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangups:
		}
		c, err := again()
		if err == nil {
			err = d.Reload(c)
		}
		if err != nil {
			log.Error("configuration not reloaded: what was in force stays in force", zap.Error(err))
		}
	}
}

// announce tells a person where everything is; its first word is what scripts wait for.
func announce(out io.Writer, d *daemon.Daemon, dataDir string) {
	e := d.Endpoint()
	fmt.Fprintf(out, "ready\n  account  %s, region %s\n  api      %s\n", e.AccountID, e.Region, e.API)
	for _, l := range []struct{ name, url string }{{"oss", e.OSS}, {"sls", e.SLS}, {"admin", e.Admin}} {
		if l.url != "" {
			fmt.Fprintf(out, "  %-8s %s\n", l.name, l.url)
		}
	}
	fmt.Fprintf(out, "  keys     %s/%s\n", dataDir, daemon.EndpointFile)
}

// newLog is the daemon's own log, on standard error.
func newLog(c config.Log) *zap.Logger {
	level, err := zapcore.ParseLevel(c.Level)
	if err != nil {
		level = zapcore.InfoLevel // the configuration was validated
	}
	encoding := zap.NewProductionEncoderConfig()
	encoding.EncodeTime = zapcore.ISO8601TimeEncoder
	encoder := zapcore.NewJSONEncoder(encoding)
	if c.Format == "console" {
		encoding.EncodeLevel = zapcore.CapitalLevelEncoder
		encoder = zapcore.NewConsoleEncoder(encoding)
	}
	return zap.New(zapcore.NewCore(encoder, zapcore.Lock(os.Stderr), level))
}
