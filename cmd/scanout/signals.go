package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
)

// signalled is why the program ends: somebody asked it to. It is a context.Canceled.
type signalled struct{ sig os.Signal }

func (s signalled) Error() string { return "ended by signal: " + s.sig.String() }
func (s signalled) Unwrap() error { return context.Canceled }

// untilSignal returns a context that ends with the first Ctrl-C or SIGTERM. The second one
// ends the program at once, should a library not return.
func untilSignal() context.Context {
	ctx, end := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		s := <-signals
		signal.Reset(os.Interrupt, syscall.SIGTERM)
		end(signalled{s})
	}()
	return ctx
}

// signalCode is the exit code after ctx has ended.
func signalCode(ctx context.Context) int {
	var s signalled
	if errors.As(context.Cause(ctx), &s) && s.sig == syscall.SIGTERM {
		return exitTerminated
	}
	return exitInterrupted
}
