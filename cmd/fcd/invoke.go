package main

import (
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
	cmd := &cobra.Command{
		Use:   "invoke SERVICE[.QUALIFIER]/FUNCTION",
		Short: "Call a function",
		Long: `Call a function and print its result on standard output.

With --tail the end of its log goes to standard error. A function that fails makes the command fail: its error stands on
standard error, the exit code is 1. With --async the call is queued and its request id printed.`,
		Example: `  fcd invoke demo/hello --event '{"name":"you"}'
  fcd invoke demo/hello --event @event.json --tail
  echo '{}' | fcd invoke demo/hello --event -`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			service, function, err := functionName(args[0])
			if err != nil {
				return err
			}
			if async && tail {
				return usagef("--tail needs the result, which --async does not wait for")
			}
			payload, err := readEvent(event, cmd.InOrStdin())
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
			answer, err := c.Do(cmd.Context(), http.MethodPost, "/services/"+service+"/functions/"+function+"/invocations", nil, payload)
			if err != nil {
				return err
			}
			return show(answer, async, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVarP(&event, "event", "e", "", "the event: text, @FILE, or - for standard input")
	cmd.Flags().BoolVar(&async, "async", false, "queue the call and do not wait for it")
	cmd.Flags().BoolVar(&tail, "tail", false, "print the end of the function's log")
	return cmd
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
	_, err := out.Write(a.Body)
	return err
}
