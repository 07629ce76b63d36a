// Command scanout plays live and recorded media with as little CPU as the machine
// allows, and measures itself doing it.
//
// Exit codes:
//
//	0    played to the end, or ended by the user
//	1    playback failed, or it ended with something lost
//	2    the command line is wrong
//	3    the media cannot be opened
//	4    the output or a device it needs cannot be opened
//	130  ended by Ctrl-C
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/scanout-av/scanout/clock"
	"github.com/scanout-av/scanout/media"
	"github.com/scanout-av/scanout/player"
)

// Exit codes; see the package comment.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitMedia       = 3
	exitOutput      = 4
	exitInterrupted = 130
)

type commands struct {
	Play    playCommand    `cmd:"" help:"Play a file, a URL, the built-in picture or raw video from standard input."`
	Probe   probeCommand   `cmd:"" help:"Say what is in a file or stream."`
	Doctor  doctorCommand  `cmd:"" help:"Say what this machine offers, what is missing, what that costs and how to get it."`
	Bench   benchCommand   `cmd:"" help:"Measure scanout's parts beside their alternatives."`
	Version versionCommand `cmd:"" help:"Print the version."`
}

// environment is what commands get from main, so that tests can run them.
type environment struct {
	ctx     context.Context
	in      io.Reader
	out     io.Writer
	err     io.Writer
	started media.Instant
}

func main() {
	started := clock.Now()
	// Windows are opened and served on the main thread, which macOS insists on.
	runtime.LockOSThread()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(os.Args[1:], environment{ctx, os.Stdin, os.Stdout, os.Stderr, started})
	interrupted := ctx.Err() != nil
	stop()
	if interrupted && code == exitOK {
		code = exitInterrupted
	}
	os.Exit(code)
}

// run parses args, runs the command and returns the exit code.
func run(args []string, env environment) (code int) {
	var c commands
	exited := -1
	k, err := kong.New(&c,
		kong.Name("scanout"),
		kong.Description("Real-time audio and video rendering."),
		kong.Writers(env.out, env.err),
		kong.Exit(func(n int) { exited = n }),
		kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Bind(&env),
	)
	if err != nil {
		panic(err) // the command structs are wrong
	}
	kctx, err := k.Parse(args)
	if exited >= 0 {
		return exited // --help
	}
	if err != nil {
		fmt.Fprintf(env.err, "scanout: %v\nTry: scanout --help\n", err)
		return exitUsage
	}
	if err := kctx.Run(&env); err != nil {
		if errors.Is(err, errReported) {
			return exitFailed
		}
		fmt.Fprintf(env.err, "scanout: %v\n", err)
		return exitCode(err)
	}
	return exitOK
}

// errReported is an error whose text the user has seen.
var errReported = errors.New("reported")

// usageError is a wrong command line that kong could not notice.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func exitCode(err error) int {
	var u usageError
	switch {
	case errors.As(err, &u), errors.Is(err, player.ErrConfig):
		return exitUsage
	case errors.Is(err, player.ErrMedia):
		return exitMedia
	case errors.Is(err, player.ErrOutput):
		return exitOutput
	}
	return exitFailed
}
