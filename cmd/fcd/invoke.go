package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"fcd/api/client"
)

func newInvoke(p *profile) *cobra.Command {
	var event string
	var async, tail bool
	var c folderCall
	cmd := &cobra.Command{
		Use:   "invoke SERVICE[.QUALIFIER]/FUNCTION | --dir DIR",
		Short: "Call a function, deployed or straight from its folder",
		Long: `Call a function and print its result on standard output. A function that fails makes the command fail: its error
stands on standard error, the exit code is 1.

Of a deployed function, --tail prints the end of the log on standard error. With --async the call is queued and its
request id printed.

With --dir the function is run from a folder, in the sandbox and the interpreter that a daemon would use, and no daemon
is needed. The folder is shown to it read-only, the log goes to standard error as it is written, --tail adds duration
and memory. Hooks (--pre-freeze, --pre-stop) run after the call. It has no keys unless --keys is given, and no network.

With --debug-port the call waits until a debugger has attached on that port of 127.0.0.1: Node's inspector, debugpy for
Python, JDWP for Java.`,
		Example: `  fcd invoke demo/hello --event '{"name":"you"}'
  fcd invoke demo/hello --event @event.json --tail
  echo '{}' | fcd invoke demo/hello --event -
  fcd invoke --dir ./hello --event @event.json
  fcd invoke --dir ./hello --handler app.main --runtime python3 --env STAGE=dev --timeout 60`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if c.Dir != "" {
				if len(args) > 0 || async {
					return usagef("--dir calls the function in a folder: it goes with neither a name nor --async")
				}
				c.event, c.tail = event, tail
				return c.run(cmd.Context(), p, cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr())
			}
			for _, name := range onlyWithDir {
				if cmd.Flags().Changed(name) {
					return usagef("--%s goes with --dir: a deployed function has its own", name)
				}
			}
			if len(args) == 0 {
				return usagef("name a function, SERVICE/FUNCTION, or a folder, --dir DIR")
			}
			if async && tail {
				return usagef("--tail needs the result, which --async does not wait for")
			}
			payload, err := readEvent(event, cmd.InOrStdin())
			if err != nil {
				return err
			}
			return invokeDeployed(cmd.Context(), p, args[0], payload, async, tail, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVarP(&event, "event", "e", "", "the `EVENT`: text, @FILE, or - for standard input")
	flags.BoolVar(&tail, "tail", false, "print the end of the function's log")
	flags.BoolVar(&async, "async", false, "queue the call and do not wait for it")
	flags.StringVar(&c.Dir, "dir", "", "run the function in the folder `DIR`; the flags below go with it")
	c.add(flags)
	flags.BoolVar(&c.keys, "keys", false, "give it the keys in ALIBABA_CLOUD_ACCESS_KEY_ID, ..._SECRET, ALIBABA_CLOUD_SECURITY_TOKEN")
	flags.StringVar(&c.configFile, "config", os.Getenv("FCD_CONFIG"), "configuration `FILE` of runtimes, sandbox and limits (FCD_CONFIG)")
	return cmd
}

// invokeDeployed calls a function of a daemon.
func invokeDeployed(ctx context.Context, p *profile, name string, payload any, async, tail bool, out, errOut io.Writer) error {
	service, function, err := functionName(name)
	if err != nil {
		return err
	}
	e, err := p.endpoint()
	if err != nil {
		return err
	}
	c := client.New(e.API, e.AccessKeyID, e.AccessKeySecret)
	if async {
		c = c.With("X-Fc-Invocation-Type", "Async")
	}
	if tail {
		c = c.With("X-Fc-Log-Type", "Tail")
	}
	answer, err := c.Do(ctx, http.MethodPost, "/services/"+service+"/functions/"+function+"/invocations", nil, payload)
	if err != nil {
		return err
	}
	return show(answer, async, out, errOut)
}

// functionName splits SERVICE/FUNCTION.
func functionName(arg string) (service, function string, err error) {
	service, function, ok := strings.Cut(arg, "/")
	if !ok || service == "" || function == "" || strings.Contains(function, "/") {
		return "", "", usagef("%q is not SERVICE/FUNCTION", arg)
	}
	return service, function, nil
}

// readEvent is the event that --event names; nil for an empty one.
func readEvent(event string, stdin io.Reader) (any, error) {
	var b []byte
	var err error
	switch {
	case event == "":
		return nil, nil
	case event == "-":
		b, err = io.ReadAll(stdin)
	case strings.HasPrefix(event, "@"):
		b, err = os.ReadFile(event[1:])
	default:
		b = []byte(event)
	}
	if err != nil {
		return nil, fmt.Errorf("event: %w", err)
	}
	return b, nil
}

// show prints what an invocation gave back.
func show(a *client.Answer, async bool, out, errOut io.Writer) error {
	if async {
		fmt.Fprintln(out, a.Header.Get("X-Fc-Request-Id"))
		return nil
	}
	if log, err := base64.StdEncoding.DecodeString(a.Header.Get("X-Fc-Log-Result")); err == nil && len(log) > 0 {
		fmt.Fprintf(errOut, "%s\n", log)
	}
	if kind := a.Header.Get("X-Fc-Error-Type"); kind != "" {
		return fmt.Errorf("%s: %s", kind, a.Body)
	}
	return writeResult(out, a.Body)
}
