package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"regexp"
	"strings"
	"time"
)

// fuzzTarget is a function FuzzX(*testing.F).
type fuzzTarget struct {
	dir, name string
}

// runFuzz finds the fuzz targets of the module and runs each for a while.
func runFuzz(args []string) ([]result, error) {
	fl := flag.NewFlagSet("fuzz", flag.ContinueOnError)
	each := fl.Duration("time", 10*time.Second, "time for a target")
	long := fl.Duration("long", 30*time.Second, "time for a target that -longfor names")
	longFor := fl.String("longfor", "^$", "regular expression over folder.Target")
	budget := fl.Duration("budget", 3*time.Minute, "time for all; the share of each gets smaller beyond it")
	goTool := fl.String("go", "go", "the go command")
	if err := fl.Parse(args); err != nil {
		return nil, err
	}
	longRE, err := regexp.Compile(*longFor)
	if err != nil {
		return nil, fmt.Errorf("-longfor: %w", err)
	}
	targets, err := findFuzz(os.DirFS("."))
	if err != nil {
		return nil, err
	}
	if len(targets) == 0 {
		return []result{{Package: "make", Test: "test-fuzz", Outcome: skipped, Reason: "the module has no fuzz target"}}, nil
	}
	var results []result
	for i, d := range shares(targets, *each, *long, *budget, longRE) {
		t := targets[i]
		r := result{Package: t.dir, Test: t.name + " (fuzzing)", Outcome: passed}
		out, err := fuzz(*goTool, t, d)
		if err != nil && gaveUp(out) {
			out, err = fuzz(*goTool, t, d)
		}
		var exit *exec.ExitError
		switch {
		case errors.As(err, &exit):
			r.Outcome, r.Reason = failedOutcome, exit.String()
			fmt.Printf("FAIL  %s %s\n%s\n", t.dir, t.name, out)
		case err != nil:
			return nil, err
		default:
			fmt.Printf("ok    %s %s  %s\n", t.dir, t.name, lastFuzzLine(out))
		}
		results = append(results, r)
	}
	return results, nil
}

func fuzz(goTool string, t fuzzTarget, d time.Duration) ([]byte, error) {
	cmd := exec.Command(goTool, "test", "-run=^$", "-fuzz=^"+t.name+"$", "-fuzztime="+d.String(), "-timeout=5m", "./"+t.dir)
	return cmd.CombinedOutput()
}

// gaveUp reports whether the fuzzing engine ran into its own deadline while it stopped,
// which go test reports as a failure though no input failed.
func gaveUp(out []byte) bool {
	return bytes.Contains(out, []byte("context deadline exceeded")) && !bytes.Contains(out, []byte("Failing input written"))
}

// shares gives each target its time; when the sum exceeds budget, each gets less, but
// the long ones keep theirs.
func shares(targets []fuzzTarget, each, long, budget time.Duration, longFor *regexp.Regexp) []time.Duration {
	var sumLong time.Duration
	short := 0
	out := make([]time.Duration, len(targets))
	for i, t := range targets {
		if longFor.MatchString(t.dir + "." + t.name) {
			out[i] = long
			sumLong += long
		} else {
			short++
		}
	}
	if short > 0 {
		each = min(each, max(budget-sumLong, 0)/time.Duration(short))
		each = max(each.Round(time.Second), time.Second)
	}
	for i := range out {
		if out[i] == 0 {
			out[i] = each
		}
	}
	return out
}

var fuzzLine = regexp.MustCompile(`fuzz: elapsed: .*`)

func lastFuzzLine(out []byte) string {
	all := fuzzLine.FindAll(out, -1)
	if len(all) == 0 {
		return ""
	}
	return strings.TrimPrefix(string(all[len(all)-1]), "fuzz: ")
}

// findFuzz looks for fuzz targets in the test files of the module itself.
func findFuzz(tree fs.FS) ([]fuzzTarget, error) {
	var targets []fuzzTarget
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := path.Base(name)
		if d.IsDir() {
			if name == "." {
				return nil
			}
			_, statErr := fs.Stat(tree, path.Join(name, "go.mod"))
			if statErr == nil || base == "testdata" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(base, "_test.go") {
			return nil
		}
		src, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, src, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, decl := range f.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Fuzz") && fn.Type.Params.NumFields() == 1 {
				targets = append(targets, fuzzTarget{path.Dir(name), fn.Name.Name})
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("find fuzz targets: %w", err)
	}
	return targets, nil
}
