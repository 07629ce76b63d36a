package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
)

// event is a line of go test -json (Source: go doc test2json, go help buildjson).
type event struct {
	Action      string
	Package     string
	ImportPath  string // of build events
	Test        string
	Elapsed     float64
	Output      string
	FailedBuild string
}

// runGoTest runs "go test ARGS" and then, once more and each by itself, the few tests
// that failed.
func runGoTest(w io.Writer, argv []string) ([]result, error) {
	if len(argv) < 2 || argv[1] != "test" {
		return nil, fmt.Errorf("gotest wants a go test command, got %q", argv)
	}
	results, err := goTest(w, argv)
	if err != nil {
		return nil, err
	}
	return results, runAgain(w, argv, results)
}

// goTest runs "go test ARGS" with -json and prints a line for each package, and all that
// a failed one said.
func goTest(w io.Writer, argv []string) ([]result, error) {
	argv = slices.Insert(slices.Clone(argv), 2, "-json")
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	results, readErr := readEvents(w, out)
	err = cmd.Wait()
	if readErr != nil {
		return nil, readErr
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return nil, err
	}
	// An exit status without a failed test: no packages matched, a bad flag.
	if exit != nil && (stepResult{Results: results}).outcome() != failedOutcome {
		results = append(results, result{Package: "make", Test: strings.Join(argv, " "), Outcome: failedOutcome, Reason: exit.String()})
	}
	return results, nil
}

// packageRun is what is known about a package while its tests run.
type packageRun struct {
	tests   map[string]outcome
	outputs map[string]*strings.Builder // by test; "" = the package's own
	cached  bool
	// ended: the test binary said itself that tests failed, and so came to its end.
	ended bool
	broke string // the race or panic that it reported
}

func readEvents(w io.Writer, r io.Reader) ([]result, error) {
	var results []result
	running := map[string]*packageRun{}
	builds := map[string]*strings.Builder{}
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			var e event
			if json.Unmarshal(line, &e) != nil || e.Action == "" {
				fmt.Fprintf(w, "%s\n", bytes.TrimRight(line, "\n")) // not an event: go itself speaks
			} else if e.Package == "" {
				b := builds[e.ImportPath]
				if b == nil {
					b = new(strings.Builder)
					builds[e.ImportPath] = b
				}
				b.WriteString(e.Output)
			} else {
				results = append(results, handle(w, e, running, builds)...)
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(running)) { // go test itself was stopped
		fmt.Fprintf(w, "FAIL  %s: did not finish\n", name)
		printOutputs(w, running[name])
		results = append(results, result{Package: name, Outcome: failedOutcome, Reason: "did not finish"})
	}
	return results, nil
}

// handle takes one event and returns the results of its package when that has ended.
func handle(w io.Writer, e event, running map[string]*packageRun, builds map[string]*strings.Builder) []result {
	p := running[e.Package]
	if p == nil {
		p = &packageRun{tests: map[string]outcome{}, outputs: map[string]*strings.Builder{}}
		running[e.Package] = p
	}
	switch e.Action {
	case "output":
		b := p.outputs[e.Test]
		if b == nil {
			b = new(strings.Builder)
			p.outputs[e.Test] = b
		}
		b.WriteString(e.Output)
		p.ended = p.ended || e.Test == "" && e.Output == "FAIL\n"
		if broke := brokenBy(e.Output); broke != "" {
			p.broke = broke
		}
		p.cached = p.cached || e.Test == "" && strings.HasPrefix(e.Output, "ok") && strings.Contains(e.Output, "(cached)")
		return nil
	case "pass", "fail", "skip":
		o := map[string]outcome{"pass": passed, "fail": failedOutcome, "skip": skipped}[e.Action]
		if e.Test != "" {
			p.tests[e.Test] = o
			if o == passed {
				delete(p.outputs, e.Test)
			}
			return nil
		}
		delete(running, e.Package)
		if b := builds[e.FailedBuild]; b != nil {
			fmt.Fprint(w, b.String())
		}
		return p.end(w, e, o)
	}
	return nil
}

// brokenBy names what a line of output reports that no test may do even once. A race is
// looked for everywhere in the line: another program under test may have found it.
func brokenBy(line string) string {
	switch {
	case strings.Contains(line, "WARNING: DATA RACE"), strings.Contains(line, "race detected during execution of test"):
		return "data race"
	case strings.HasPrefix(line, "panic: test timed out"), strings.HasPrefix(line, "*** Test killed"):
		return "timeout of the package"
	case strings.HasPrefix(line, "panic: "), strings.HasPrefix(line, "fatal error: "), strings.Contains(line, "[signal SIG"):
		return "panic"
	}
	return ""
}

// end prints the package's line and returns the results of its tests. A test with
// subtests counts by these, unless it failed by itself.
func (p *packageRun) end(w io.Writer, e event, o outcome) []result {
	var results []result
	count := map[outcome]int{}
	add := func(r result) {
		results = append(results, r)
		count[r.Outcome]++
	}
	parents, failedBelow := map[string]bool{}, map[string]bool{}
	for name, to := range p.tests {
		for i := range name {
			if name[i] == '/' {
				parents[name[:i]] = true
				if to == failedOutcome {
					failedBelow[name[:i]] = true
				}
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.tests)) {
		to := p.tests[name]
		if parents[name] && (to != failedOutcome || failedBelow[name]) {
			continue
		}
		r := result{Package: e.Package, Test: name, Outcome: to}
		if b := p.outputs[name]; b != nil && to == skipped {
			r.Reason = skipReason(b.String())
		}
		if to == failedOutcome {
			if r.Reason = p.broke; r.Reason == "" && !p.ended {
				r.Reason = "its package ended early"
			}
		}
		add(r)
	}
	if o == failedOutcome && count[failedOutcome] == 0 {
		reason := "the package failed outside its tests"
		if e.FailedBuild != "" {
			reason = "does not build"
		} else if p.broke != "" {
			reason = p.broke
		}
		add(result{Package: e.Package, Outcome: failedOutcome, Reason: reason})
	}
	switch {
	case o == failedOutcome:
		fmt.Fprintf(w, "FAIL  %s  %.1fs  %d passed, %d failed, %d skipped\n", e.Package, e.Elapsed, count[passed], count[failedOutcome], count[skipped])
		printOutputs(w, p)
	case len(p.tests) > 0:
		note := ""
		if count[skipped] > 0 {
			note = fmt.Sprintf(", %d skipped", count[skipped])
		}
		if p.cached {
			note += " (cached)"
		}
		fmt.Fprintf(w, "ok    %s  %.1fs  %d passed%s\n", e.Package, e.Elapsed, count[passed], note)
	}
	return results
}

// printOutputs prints what failed tests and the package itself said.
func printOutputs(w io.Writer, p *packageRun) {
	for _, name := range slices.Sorted(maps.Keys(p.outputs)) {
		if o, ended := p.tests[name]; ended && o != failedOutcome {
			continue
		}
		for line := range strings.Lines(p.outputs[name].String()) {
			if name == "" && (line == "FAIL\n" || line == "PASS\n" || strings.HasPrefix(line, "FAIL\t")) {
				continue
			}
			fmt.Fprintf(w, "      %s\n", strings.TrimRight(line, "\n"))
		}
	}
}

// logLine is the start of what t.Log and t.Skip print.
var logLine = regexp.MustCompile(`^\s+\S+\.go:\d+: (.*)$`)

// skipReason finds the message of t.Skip: the last one that the test logged.
func skipReason(output string) string {
	var reason []string
	for line := range strings.Lines(output) {
		line = strings.TrimRight(line, "\n")
		if m := logLine.FindStringSubmatch(line); m != nil {
			reason = []string{strings.TrimSpace(m[1])}
		} else if len(reason) > 0 && strings.HasPrefix(line, "        ") { // its further lines
			reason = append(reason, strings.TrimSpace(line))
		}
	}
	if len(reason) == 0 {
		return "no reason given"
	}
	return strings.Join(reason, " ")
}
