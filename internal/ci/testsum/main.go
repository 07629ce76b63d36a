// Command testsum runs the steps of `make test` and sums them up: a short log while
// they run, the full output of what failed, tables of what was skipped and why and of
// what failed once, and as the last line "N passed, N failed, N skipped".
//
//	testsum -results DIR step NAME -- COMMAND...     any command; its exit status is one check
//	testsum -results DIR gotest NAME -- go test ...  reads the events of go test -json; packages last, as ./x
//	testsum -results DIR fuzz NAME [flags]           every fuzz target of the module, for a while
//	testsum -results DIR generate NAME [flags]       go generate in a copy of the tree, compared
//	testsum -results DIR skip NAME REASON            a step that cannot run here
//	testsum -results DIR report [flags] STEP...      the sum; names the steps that must have run
//
// Steps write one file each into DIR, so that each can also be run by itself.
//
// Of a gotest step, tests that fail are run once more after it, each by itself and with
// the same flags, and count as passed if they pass then. Many tests drive real displays,
// sound servers and other programs on machines that stand still for seconds; of thousands
// one may meet such a moment, and that says nothing about the code. So that it is not
// overlooked, the first failure stays in the log and the report lists the test under
// "failed once, passed when run again"; one that turns up there repeatedly has a fault.
// Nothing is run again in a step with a data race, a panic, a timeout of a package, a
// package that does not build or that fails without naming a test, or with more than
// three failed top-level tests.
//
// Concurrency: one goroutine reads the output of the program that runs.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"time"
)

func main() {
	err := run(os.Args[1:])
	var failed *stepFailed
	switch {
	case err == nil:
	case errors.As(err, &failed): // what failed has been printed
		os.Exit(1)
	default:
		fmt.Fprintln(os.Stderr, "testsum:", err)
		os.Exit(2)
	}
}

// stepFailed says that the step ran and found something.
type stepFailed struct{ name string }

func (e *stepFailed) Error() string { return e.name + " failed" }

var errUsage = errors.New("usage: testsum -results DIR step|gotest|fuzz|generate|skip|report ...; see the package documentation")

func run(args []string) error {
	fl := flag.NewFlagSet("testsum", flag.ContinueOnError)
	dir := fl.String("results", "", "folder that collects the results of the steps")
	if err := fl.Parse(args); err != nil {
		return err
	}
	if *dir == "" || fl.NArg() < 1 {
		return errUsage
	}
	verb, rest := fl.Arg(0), fl.Args()[1:]
	if verb == "report" {
		return runReport(*dir, rest)
	}
	if len(rest) < 1 {
		return errUsage
	}
	name, rest := rest[0], rest[1:]
	if len(rest) > 0 && rest[0] == "--" {
		rest = rest[1:]
	}
	fmt.Printf("== %s\n", name)
	start := time.Now()
	var results []result
	var err error
	switch verb {
	case "step":
		results, err = runStep(name, rest)
	case "gotest":
		results, err = runGoTest(os.Stdout, rest)
	case "fuzz":
		results, err = runFuzz(rest)
	case "generate":
		results, err = runGenerate(rest)
	case "skip":
		if len(rest) != 1 {
			return errUsage
		}
		fmt.Println(rest[0])
		results = []result{{Package: "make", Test: "test-" + name, Outcome: skipped, Reason: rest[0]}}
	default:
		return errUsage
	}
	if err != nil {
		return err
	}
	s := stepResult{Name: name, Seconds: time.Since(start).Seconds(), Results: results}
	if err := s.save(*dir); err != nil {
		return err
	}
	fmt.Printf("== %s: %s in %.0f s\n\n", name, s.outcome(), s.Seconds)
	if s.outcome() == failedOutcome {
		return &stepFailed{name}
	}
	return nil
}

// runStep runs a command whose exit status is its result.
func runStep(name string, argv []string) ([]result, error) {
	if len(argv) == 0 {
		return nil, errUsage
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	err := cmd.Run()
	r := result{Package: "make", Test: "test-" + name, Outcome: passed}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		r.Outcome, r.Reason = failedOutcome, exit.String()
	} else if err != nil {
		return nil, err
	}
	return []result{r}, nil
}
