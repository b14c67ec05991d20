package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"fcd/config"
	"fcd/ram"
)

func newCheckConfig() *cobra.Command {
	return &cobra.Command{
		Use:   "check-config [FILE]",
		Short: "Read a configuration, say what is wrong with it, run nothing",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			file := os.Getenv("FCD_CONFIG")
			if len(args) > 0 {
				file = args[0]
			}
			c, err := config.Load(file)
			if err != nil {
				return err
			}
			account := c.Account
			if account.ID == "" {
				account.ID = "1" // made up at the first start
			}
			if account.AccessKeyID == "" {
				account.AccessKeyID, account.AccessKeySecret = "made-up", "at-first-start"
			}
			if _, err := ram.New(c.RAMOptions(account)); err != nil {
				return fmt.Errorf("configuration %s: ram: %w", file, err)
			}
			if file == "" {
				file = "the defaults"
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: good\n", file)
			return nil
		},
	}
}
