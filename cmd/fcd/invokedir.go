package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"fcd/cmd/fcd/local"
	"fcd/config"
	"fcd/fc"
	"fcd/invoker/sandbox/native"
)

// folderCall is a call of a function straight from its folder.
type folderCall struct {
	functionFlags
	configFile string
	keys       bool
	tail       bool
	event      string
}

// onlyWithDir are the flags of invoke that mean nothing to a deployed function.
var onlyWithDir = []string{"handler", "runtime", "initializer", "pre-freeze", "pre-stop", "memory", "timeout", "env", "debug-port", "keys", "config"}

// run makes the call: the result goes to out, the log, as it is written, to errOut.
func (c *folderCall) run(ctx context.Context, p *profile, in io.Reader, out, errOut io.Writer) error {
	if err := c.environment(); err != nil {
		return err
	}
	conf, err := loadConfig(c.configFile, p)
	if err != nil {
		return err
	}
	c.Service = "local"
	if err := c.Resolve(conf.FCLimits()); err != nil {
		return err
	}
	if err := native.EnterRootless(); err != nil {
		return err
	}
	event, err := readEvent(c.event, in)
	if err != nil {
		return err
	}
	ctx, stop := untilEnded(ctx)
	defer stop()
	payload, _ := event.([]byte) // nil for an empty event
	return c.call(ctx, conf, payload, out, errOut)
}

func (c *folderCall) call(ctx context.Context, conf *config.Config, event []byte, out, errOut io.Writer) error {
	printer := local.NewPrinter(errOut, c.Ref())
	o := local.RunnerOptions{Config: conf, Function: &c.Function, Logs: printer}
	if c.keys {
		o.Credentials = environmentKeys()
	}
	if c.debugPort != 0 {
		port, err := local.OpenDebugPort(c.debugPort)
		if err != nil {
			return err
		}
		defer port.Close()
		o.DebugPort = port
	}
	r, err := local.NewRunner(o)
	if err != nil {
		return err
	}
	defer r.Close()
	invoke := r.Invoke
	if o.DebugPort != nil {
		o.DebugPort.Wake(r.Warm)
		invoke = r.InvokeDebugged
		fmt.Fprintf(errOut, "waiting for a debugger on %s\n", o.DebugPort.Address())
	}
	res, err := invoke(ctx, event)
	if err != nil {
		return err
	}
	if c.tail {
		lines := strings.Split(string(res.LogTail), "\n")
		printer.Line(lines[len(lines)-1])
	}
	if res.ErrorType != "" {
		err = fmt.Errorf("%s: %s", res.ErrorType, res.Body)
	} else {
		err = writeResult(out, res.Body)
	}
	return errors.Join(err, r.Retire(ctx))
}

// writeResult writes a result as it is; on a terminal, so that the prompt stands on a line of its own.
func writeResult(out io.Writer, body []byte) error {
	_, err := out.Write(body)
	if local.Terminal(out) && len(body) > 0 && body[len(body)-1] != '\n' {
		fmt.Fprintln(out)
	}
	return err
}

// environmentKeys are the keys of the command's own environment, under the names that functions see them by.
func environmentKeys() fc.Credentials {
	return fc.Credentials{
		AccessKeyID:     os.Getenv("ALIBABA_CLOUD_ACCESS_KEY_ID"),
		AccessKeySecret: os.Getenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET"),
		SecurityToken:   os.Getenv("ALIBABA_CLOUD_SECURITY_TOKEN"),
	}
}
