package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"fcd/cmd/fcd/backup"
	"fcd/config"
)

// stateDir is the data directory that a command of this machine works on: no daemon need run there.
func (p *profile) stateDir() (string, error) {
	if dir := p.dir(); dir != "" {
		return dir, nil
	}
	f, err := p.read()
	if err != nil {
		return "", err
	}
	if f.DataDir != "" {
		return f.DataDir, nil
	}
	return config.DefaultDataDir(), nil
}

func newBackup(p *profile) *cobra.Command {
	return &cobra.Command{
		Use:   "backup FILE",
		Short: "Copy functions, triggers, queue and code into one file, while the daemon runs",
		Long: `Copy the state in the data directory into FILE, which must not exist: functions, triggers, the queue with its dead
letters and outcomes as of one moment, code packages, the account made up at the first start and the key that seals
temporary credentials. The daemon may run meanwhile. The file has mode 0600: it holds the account's key.

Not in it: the objects and logs of the embedded services, log lines still in the spool, interpreters, the
configuration file. For those copy the data directory while the daemon is stopped, or a snapshot of its file system.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := p.stateDir()
			if err != nil {
				return err
			}
			if err := backup.Write(cmd.Context(), dir, args[0]); err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), args[0])
			return err
		},
	}
}

func newRestore(p *profile) *cobra.Command {
	return &cobra.Command{
		Use:   "restore FILE",
		Short: "Make a data directory of a backup",
		Long: `Make the data directory (--data-dir) of a file that fcd backup has made. The directory must not exist, or be empty. It
is there as a whole when the command is done, or not at all. What waited in the queue when the backup was made will
run when a daemon is started on it, also if it has run since then elsewhere.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := p.stateDir()
			if err != nil {
				return err
			}
			if err := backup.Restore(cmd.Context(), args[0], dir); err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), filepath.Clean(dir))
			return err
		},
	}
}
