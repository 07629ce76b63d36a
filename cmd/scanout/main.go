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
//	143  ended by SIGTERM
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"reflect"
	"runtime"
	"strings"
	"syscall"
	"time"

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
	exitTerminated  = 143
)

type commands struct {
	Play    playCommand    `cmd:"" help:"Play a file, a URL, the built-in picture or raw video from standard input."`
	Probe   probeCommand   `cmd:"" help:"Say what is in a file or stream."`
	Send    sendCommand    `cmd:"" help:"Send a file as RTP, in real time, for receivers to try."`
	Doctor  doctorCommand  `cmd:"" help:"Say what this machine offers, what is missing, what that costs and how to get it."`
	Bench   benchCommand   `cmd:"" help:"Measure scanout's parts beside their alternatives."`
	Version versionCommand `cmd:"" help:"Print the version."`

	BenchSend benchSendCommand `cmd:"" hidden:"" help:"Send what bench receive receives."`
	Impair    impairCommand    `cmd:"" hidden:"" help:"Pass UDP packets on as a bad network would: lost, late, in disorder, twice, damaged."`
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
	moreProcessors()
	ctx := untilSignal()
	// A reader of the output that goes away is an error of that write, not a signal.
	signal.Ignore(syscall.SIGPIPE)
	os.Exit(run(os.Args[1:], environment{ctx, os.Stdin, os.Stdout, os.Stderr, started}))
}

// leastProcessors of Go's: one for the goroutine that presents and one for that which
// receives, which keep it while they nap, one for the decoder, and one that is free. With
// none free, Go's monitor thread takes processors from goroutines in calls of C and the
// kernel, and naps for 20 µs at a time to find them: a tenth of the CPU of live playback on
// two processors.
const leastProcessors = 4

func moreProcessors() {
	if os.Getenv("GOMAXPROCS") == "" && runtime.GOMAXPROCS(0) < leastProcessors {
		runtime.GOMAXPROCS(leastProcessors)
	}
}

// run parses args, runs the command and returns the exit code.
func run(args []string, env environment) (code int) {
	var c commands
	exited := -1
	out := newOutput(env.ctx, env.out)
	defer out.close()
	env.out = out
	k, err := kong.New(&c, append(reading(),
		kong.Name("scanout"),
		kong.Description("Real-time audio and video rendering."),
		kong.Writers(env.out, env.err),
		kong.Exit(func(n int) { exited = n }),
		kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Bind(&env),
	)...)
	if err != nil {
		panic(err) // the command structs are wrong
	}
	kctx, err := k.Parse(args)
	if exited == exitOK && out.error() != nil {
		exited = exitFailed
	}
	if exited >= 0 {
		return exited // --help
	}
	if errors.Is(err, syscall.EPIPE) {
		return exitFailed // of the help, somebody has read enough
	}
	if err != nil {
		fmt.Fprintf(env.err, "scanout: %v\nTry: scanout --help\n", err)
		return exitUsage
	}
	if err = kctx.Run(&env); err == nil {
		err = out.error()
	}
	if env.ctx.Err() != nil {
		// What was being opened or measured failed because of the signal.
		if err != nil && !out.stalled() && exitCode(err) == exitFailed && !errors.Is(err, context.Canceled) {
			fmt.Fprintf(env.err, "scanout: %s\n", oneLine(err))
		}
		return signalCode(env.ctx)
	}
	if err != nil {
		if !errors.Is(err, syscall.EPIPE) || strings.HasPrefix(kctx.Command(), "play") {
			fmt.Fprintf(env.err, "scanout: %s\n", oneLine(err)) // else whoever read the text has read enough
		}
		return exitCode(err)
	}
	return exitOK
}

// reading is how kong reads what it would read otherwise: names, and times as --start has them.
func reading() []kong.Option {
	return []kong.Option{bytewise, kong.NamedMapper("media", named), kong.TypeMapper(reflect.TypeFor[time.Duration](), times)}
}

// times reads a time as Go writes it, or as players do.
var times = kong.MapperFunc(func(ctx *kong.DecodeContext, target reflect.Value) error {
	token, err := ctx.Scan.PopValue("time")
	if err != nil {
		return err
	}
	d, err := parseSpan(fmt.Sprint(token.Value))
	target.SetInt(int64(d))
	return err
})

// bytewise keeps names of files as they are: kong passes strings through JSON, which has no
// place for those that are not UTF-8.
var bytewise = kong.KindMapper(reflect.String, kong.MapperFunc(func(ctx *kong.DecodeContext, target reflect.Value) error {
	token, err := ctx.Scan.PopValue("string")
	if err != nil {
		return err
	}
	target.SetString(fmt.Sprint(token.Value))
	return nil
}))

// named is as bytewise, for names of media: an empty one, as of a shell variable that is not
// set, is a mistake and not the built-in picture.
var named = kong.MapperFunc(func(ctx *kong.DecodeContext, target reflect.Value) error {
	token, err := ctx.Scan.PopValue("string")
	if err != nil {
		return err
	}
	name := fmt.Sprint(token.Value)
	if name == "" {
		return errors.New("the name is empty: name a file or a URL")
	}
	target.SetString(name)
	return nil
})

// oneLine is the text of err on one line: joined errors have one each.
func oneLine(err error) string {
	return strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; ")
}

// usageError is a wrong command line that kong could not notice.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

// mediaError is media that this command, without a player, cannot open.
type mediaError struct{ err error }

func (e mediaError) Error() string { return e.err.Error() }
func (e mediaError) Unwrap() error { return e.err }

func exitCode(err error) int {
	var u usageError
	var m mediaError
	switch {
	case errors.As(err, &u), errors.Is(err, player.ErrConfig):
		return exitUsage
	case errors.As(err, &m), errors.Is(err, player.ErrMedia):
		return exitMedia
	case errors.Is(err, player.ErrOutput):
		return exitOutput
	}
	return exitFailed
}
