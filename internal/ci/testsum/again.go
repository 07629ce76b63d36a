package main

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// maxAgain is how many failed top-level tests of a step are run again. More than these
// are no accident.
const maxAgain = 3

// rerun is a top-level test that failed, and how to run it again.
type rerun struct {
	pkg, pattern string
	failed       []int // of the step's results
}

// runAgain runs each test that failed in results once more by itself, with the flags of
// argv, the go test command of the step. A test that passes then counts as passed and is
// marked, for the report to list. Nothing is run when a failure is of a kind that must
// not happen even once, or when more failed than maxAgain; results stay as they are then.
func runAgain(w io.Writer, argv []string, results []result) error {
	todo, why := toRunAgain(results)
	flags, ok := flagsOf(argv)
	if why == "" && len(todo) > 0 && !ok {
		why = "the packages are not the last arguments"
	}
	if why != "" {
		fmt.Fprintf(w, "no test is run again: %s\n", why)
		return nil
	}
	for _, t := range todo {
		fmt.Fprintf(w, "again %s  -run '%s'\n", t.pkg, t.pattern)
		second, err := goTest(w, append(slices.Clone(flags), "-run", t.pattern, "-count", "1", t.pkg))
		if err != nil {
			return err
		}
		if (stepResult{Results: second}).outcome() != passed {
			continue
		}
		for _, i := range t.failed {
			r := &results[i]
			if slices.ContainsFunc(second, func(s result) bool { return s.Outcome == passed && inTest(s.Test, r.Test) }) {
				r.Outcome, r.Again = passed, true
			}
		}
	}
	return nil
}

// toRunAgain groups the failures by top-level test, or says why nothing is run again.
func toRunAgain(results []result) (todo []rerun, why string) {
	at := map[[2]string]int{}
	var names [][]string // of todo's
	for i, r := range results {
		if r.Outcome != failedOutcome {
			continue
		}
		if r.Test == "" || r.Reason != "" {
			return nil, fmt.Sprintf("%s: %s", strings.TrimSpace(r.Package+" "+r.Test), r.Reason)
		}
		top, _, _ := strings.Cut(r.Test, "/")
		key := [2]string{r.Package, top}
		n, seen := at[key]
		if !seen {
			n = len(todo)
			at[key] = n
			todo, names = append(todo, rerun{pkg: r.Package}), append(names, nil)
		}
		todo[n].failed, names[n] = append(todo[n].failed, i), append(names[n], r.Test)
	}
	for n := range todo {
		todo[n].pattern = runPattern(names[n])
	}
	if len(todo) > maxAgain {
		return nil, fmt.Sprintf("%d tests failed, more than %d", len(todo), maxAgain)
	}
	return todo, ""
}

// runPattern is the argument of -run that names these tests of one top-level test. Each
// level has its own expression, so it may name a few more.
func runPattern(names []string) string {
	var levels [][]string
	depth := -1
	for _, name := range names {
		parts := strings.Split(name, "/")
		if depth < 0 || len(parts) < depth {
			depth = len(parts)
		}
		for i, part := range parts {
			if i == len(levels) {
				levels = append(levels, nil)
			}
			if part = regexp.QuoteMeta(part); !slices.Contains(levels[i], part) {
				levels[i] = append(levels[i], part)
			}
		}
	}
	var pattern []string
	for _, l := range levels[:depth] {
		if len(l) == 1 {
			pattern = append(pattern, "^"+l[0]+"$")
		} else {
			pattern = append(pattern, "^("+strings.Join(l, "|")+")$")
		}
	}
	return strings.Join(pattern, "/")
}

// inTest reports whether name is the test, or a subtest of it.
func inTest(name, test string) bool {
	return name == test || strings.HasPrefix(name, test+"/")
}

// flagsOf is argv without the packages at its end: ".", or a path that starts with ./,
// as the flags before them take values that cannot be told from names.
func flagsOf(argv []string) (flags []string, ok bool) {
	n := len(argv)
	for n > 0 && (argv[n-1] == "." || strings.HasPrefix(argv[n-1], "./")) {
		n--
	}
	return argv[:n], n < len(argv)
}
