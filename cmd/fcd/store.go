package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"fcd/cmd/fcd/backup"
)

func newStore(p *profile) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "store",
		Short: "Look at the state on disk",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newStoreCheck(p))
	return cmd
}

func newStoreCheck(p *profile) *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Read the whole database and all code packages, and say what does not fit",
		Long: `Read the whole database and every code package that a function uses, while the daemon runs or not, and print what does
not fit, one line each. The exit code is 1 if there is any.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := p.stateDir()
			if err != nil {
				return err
			}
			problems, err := backup.Check(cmd.Context(), dir)
			for _, line := range problems {
				fmt.Fprintln(cmd.OutOrStdout(), line)
			}
			if err == nil && len(problems) > 0 {
				err = fmt.Errorf("%s: %d problems", dir, len(problems))
			}
			if err == nil {
				_, err = fmt.Fprintln(cmd.OutOrStdout(), "ok")
			}
			return err
		},
	}
}
