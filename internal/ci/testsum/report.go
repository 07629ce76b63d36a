package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
)

func runReport(dir string, args []string) error {
	fl := flag.NewFlagSet("report", flag.ContinueOnError)
	module := fl.String("module", "", "module path, left out of package names")
	allowFile := fl.String("allow", "", "file of the skips that are allowed, with reasons")
	strict := fl.Bool("strict", false, "fail on a skip that is not allowed")
	if err := fl.Parse(args); err != nil {
		return err
	}
	steps, err := loadSteps(dir, fl.Args())
	if err != nil {
		return err
	}
	var allow []allowed
	if *allowFile != "" {
		f, err := os.Open(*allowFile)
		if err != nil {
			return fmt.Errorf("allowed skips: %w", err)
		}
		defer f.Close()
		if allow, err = parseAllowed(f); err != nil {
			return fmt.Errorf("allowed skips: %s: %w", *allowFile, err)
		}
	}
	if !report(os.Stdout, *module, steps, allow, *strict) {
		return &stepFailed{"test"}
	}
	return nil
}

// report prints the sum of all steps and reports whether all is well.
func report(w io.Writer, module string, steps []stepResult, allow []allowed, strict bool) bool {
	short := func(pkg string) string {
		if s, ok := strings.CutPrefix(pkg, module+"/"); ok && module != "" {
			return s
		}
		if pkg == module {
			return "."
		}
		return pkg
	}

	fmt.Fprintln(w, "== steps")
	total := 0.0
	for _, s := range steps {
		fmt.Fprintf(w, "%-10s %6.0f s  %s\n", s.Name, s.Seconds, s.outcome())
		total += s.Seconds
	}
	fmt.Fprintf(w, "%-10s %6.0f s\n\n", "all", total)

	all := merge(steps)
	count := map[outcome]int{}
	for _, r := range all {
		count[r.Outcome]++
	}
	ok := count[failedOutcome] == 0
	if count[skipped] > 0 {
		fmt.Fprintln(w, "== skipped, and what it takes to run them")
		for _, g := range groupSkips(all, short, allow) {
			mark := ""
			if g.allowedWhy != "" {
				mark = "  (allowed: " + g.allowedWhy + ")"
			} else if strict {
				mark = "  (NOT ALLOWED: install what it needs, or give the reason in internal/ci/allowed-skips.txt)"
				ok = false
			}
			fmt.Fprintf(w, "%s: %s%s\n    %s\n", g.pkg, g.reason, mark, strings.Join(g.tests, " "))
		}
		fmt.Fprintln(w)
	}
	again := false
	for _, s := range steps {
		for _, r := range s.Results {
			if !r.Again {
				continue
			}
			if !again {
				fmt.Fprintln(w, "== failed once, passed when run again")
				again = true
			}
			fmt.Fprintf(w, "%s  %s  (%s; the log has its first failure)\n", short(r.Package), r.Test, s.Name)
		}
	}
	if again {
		fmt.Fprintln(w)
	}
	if count[failedOutcome] > 0 {
		fmt.Fprintln(w, "== failed")
		for _, r := range all {
			if r.Outcome == failedOutcome {
				fmt.Fprintln(w, strings.TrimSpace(strings.Join([]string{short(r.Package), r.Test, r.Reason}, "  ")))
			}
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "%d passed, %d failed, %d skipped\n", count[passed], count[failedOutcome], count[skipped])
	return ok
}

// merge counts a test once that several steps ran: failed if it ever failed, and
// skipped only if no step ran it.
func merge(steps []stepResult) []result {
	weight := map[outcome]int{skipped: 0, passed: 1, failedOutcome: 2}
	at := map[[2]string]int{}
	var all []result
	for _, s := range steps {
		for _, r := range s.Results {
			key := [2]string{r.Package, r.Test}
			i, seen := at[key]
			switch {
			case !seen:
				at[key] = len(all)
				all = append(all, r)
			case weight[r.Outcome] > weight[all[i].Outcome]:
				all[i] = r
			}
		}
	}
	return all
}

type skipGroup struct {
	pkg, reason, allowedWhy string
	tests                   []string
}

// groupSkips puts the tests of a package that were skipped for one reason on one line.
func groupSkips(all []result, short func(string) string, allow []allowed) []skipGroup {
	var groups []skipGroup
	for _, r := range all {
		if r.Outcome != skipped {
			continue
		}
		g := skipGroup{pkg: short(r.Package), reason: r.Reason}
		for _, a := range allow {
			if a.pkg.MatchString(g.pkg) && a.test.MatchString(r.Test) {
				g.allowedWhy = a.why
				break
			}
		}
		i := slices.IndexFunc(groups, func(o skipGroup) bool {
			return o.pkg == g.pkg && o.reason == g.reason && o.allowedWhy == g.allowedWhy
		})
		if i < 0 {
			i = len(groups)
			groups = append(groups, g)
		}
		groups[i].tests = append(groups[i].tests, r.Test)
	}
	return groups
}

// allowed is a skip that CI accepts.
type allowed struct {
	pkg, test *regexp.Regexp
	why       string
}

// parseAllowed reads lines "package test reason..."; in the first two, * stands for any
// text. Empty lines and those that start with # are left out.
func parseAllowed(r io.Reader) ([]allowed, error) {
	var list []allowed
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Fields(line)
		if len(f) < 3 {
			return nil, fmt.Errorf("line %d: want package, test and reason, got %q", n, line)
		}
		list = append(list, allowed{glob(f[0]), glob(f[1]), strings.Join(f[2:], " ")})
	}
	if err := lines.Err(); err != nil {
		return nil, errors.Join(errors.New("read"), err)
	}
	return list, nil
}

func glob(pattern string) *regexp.Regexp {
	return regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, ".*") + "$")
}
