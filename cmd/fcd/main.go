// Command fcd is a Function Compute of one's own: a daemon that runs functions in sandboxes and bridges events to them,
// and the commands to drive it.
//
//	fcd serve                       run the daemon
//	fcd demo                        see it work, end to end, in a minute
//	fcd invoke SERVICE/FUNCTION     call a function
//	fcd invoke --dir DIR            call a function straight from its folder, without a daemon
//	fcd dev DIR                     serve a folder's function, deploy it again when the folder changes
//	fcd deadletter list|show|...    see, redo or forget what did not come to a good end
//	fcd logs SERVICE[/FUNCTION]     read its log
//	fcd trigger list [SERVICE]      which triggers there are
//	fcd trigger show S/F/TRIGGER    one of them; of a timer also when it fires next
//	fcd event list|show|replay      what became of events, and why one did not fire
//	fcd runtimes install NAME...    fetch true interpreters: nodejs6, nodejs8, python2.7, java8
//	fcd runtimes list               which interpreters run functions here
//	fcd backup FILE                 copy the state into one file, while the daemon runs
//	fcd restore FILE                make a data directory of it
//	fcd store check                 read the whole state and say what does not fit
//	fcd doctor                      what this host can and cannot do, and why
//	fcd check-config [FILE]         read a configuration without running it
//
// Commands that need a running daemon find it by --data-dir, by FCD_DATA_DIR or by a profile (see profile.go).
// Exit codes: 0 done, 1 refused or failed, 2 the command line is wrong.
package main

import (
	"os"

	"github.com/spf13/cobra"

	"fcd/invoker/sandbox/native"
	"fcd/invoker/sandbox/process"
)

func main() {
	native.Main()
	process.Main()
	os.Exit(execute(newRoot(), os.Stderr))
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "fcd",
		Short: "A Function Compute of your own, in one process",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	p := &profile{}
	p.flags(root.PersistentFlags())
	root.AddCommand(newServe(p), newDemo(), newInvoke(p), newDev(p), newLogs(p), newEvent(p), newTrigger(p), newDeadLetter(p), newBackup(p),
		newRestore(p), newStore(p), newRuntimes(p), newDoctor(p), newCheckConfig())
	return root
}
