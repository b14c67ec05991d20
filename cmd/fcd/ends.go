package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// untilEnded is ctx until a command that runs functions is to end. What else would end the program ends it in good order
// too, so that nothing of them is left: a terminal that is closed, but for nohup, and a reader of its output that goes away.
func untilEnded(ctx context.Context) (context.Context, context.CancelFunc) {
	ends := []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGPIPE}
	if !signal.Ignored(syscall.SIGHUP) {
		ends = append(ends, syscall.SIGHUP)
	}
	return signal.NotifyContext(ctx, ends...)
}
