package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fakeTests are packages whose tests write a line to the file "runs" beside them: it
// tells a second run from the first, and the test here what ran.
var fakeTests = map[string]string{
	"once": `
func TestOnce(t *testing.T) {
	t.Run("sub test (1)", func(t *testing.T) {
		if runs(t, "sub") == 1 { t.Fatal("the first time") }
	})
	t.Run("other", func(t *testing.T) { runs(t, "other") })
}
func TestFine(t *testing.T) { runs(t, "fine") }
`,
	"always": `
func TestAlways(t *testing.T) { t.Fatal("run", runs(t, "always")) }
`,
	"skips": `
func TestSkips(t *testing.T) {
	if runs(t, "skips") == 1 { t.Fatal("the first time") }
	t.Skip("needs what the first run had")
}
`,
	"panics": `
func TestFails(t *testing.T) { t.Fatal("run", runs(t, "fails")) }
func TestPanics(t *testing.T) {
	if runs(t, "panics") == 1 { panic("the first time") }
}
`,
	"race": `
func TestRace(t *testing.T) {
	if runs(t, "race") == 1 { println("WARNING: DATA RACE"); t.Fail() }
}
`,
	"many": `
func fail(t *testing.T) {
	if runs(t, t.Name()) == 1 { t.Fatal("the first time") }
}
func TestA(t *testing.T) { fail(t) }
func TestB(t *testing.T) { fail(t) }
func TestC(t *testing.T) { fail(t) }
func TestD(t *testing.T) { fail(t) }
`,
	"outside": `
func TestFine(t *testing.T) { runs(t, "fine") }
func TestMain(m *testing.M) { m.Run(); os.Exit(1) }
`,
}

const fakeRuns = `
// runs notes a run and says how many of that name there have been.
func runs(t *testing.T, name string) int {
	f, err := os.OpenFile("runs", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil { t.Fatal(err) }
	defer f.Close()
	if _, err := f.WriteString(name + "\n"); err != nil { t.Fatal(err) }
	b, err := os.ReadFile("runs")
	if err != nil { t.Fatal(err) }
	n := 0
	for _, line := range strings.Fields(string(b)) {
		if line == name { n++ }
	}
	return n
}
`

func TestRunGoTestAgain(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("go.mod", "module m\n\ngo 1.26\n")
	for name, text := range fakeTests {
		write(filepath.Join(name, "a_test.go"), fmt.Sprintf("package %s\nimport (\n\"os\"\n\"strings\"\n\"testing\"\n)\n%s%s", name, text, fakeRuns))
	}
	t.Chdir(dir)

	tests := []struct {
		pkg     string
		want    []result
		runs    string // what ran, in order
		printed []string
	}{
		{"once", []result{
			{Package: "m/once", Test: "TestFine", Outcome: passed},
			{Package: "m/once", Test: "TestOnce/other", Outcome: passed},
			{Package: "m/once", Test: "TestOnce/sub_test_(1)", Outcome: passed, Again: true},
		}, "sub other fine sub", []string{"FAIL  m/once", "the first time", `again m/once  -run '^TestOnce$/^sub_test_\(1\)$'`, "ok    m/once"}},
		{"always", []result{{Package: "m/always", Test: "TestAlways", Outcome: failedOutcome}}, "always always", []string{"run 1", "again m/always", "run 2"}},
		{"skips", []result{{Package: "m/skips", Test: "TestSkips", Outcome: failedOutcome}}, "skips skips", []string{"again m/skips"}},
		{"panics", []result{
			{Package: "m/panics", Test: "TestFails", Outcome: failedOutcome, Reason: "panic"},
			{Package: "m/panics", Test: "TestPanics", Outcome: failedOutcome, Reason: "panic"},
		}, "fails panics", []string{"no test is run again: m/panics TestFails: panic"}},
		{"race", []result{{Package: "m/race", Test: "TestRace", Outcome: failedOutcome, Reason: "data race"}}, "race", []string{"no test is run again: m/race TestRace: data race"}},
		{"many", []result{
			{Package: "m/many", Test: "TestA", Outcome: failedOutcome},
			{Package: "m/many", Test: "TestB", Outcome: failedOutcome},
			{Package: "m/many", Test: "TestC", Outcome: failedOutcome},
			{Package: "m/many", Test: "TestD", Outcome: failedOutcome},
		}, "TestA TestB TestC TestD", []string{"no test is run again: 4 tests failed, more than 3"}},
		{"outside", []result{
			{Package: "m/outside", Test: "TestFine", Outcome: passed},
			{Package: "m/outside", Outcome: failedOutcome, Reason: "the package failed outside its tests"},
		}, "fine", []string{"no test is run again: m/outside: the package failed outside its tests"}},
	}
	for _, tt := range tests {
		t.Run(tt.pkg, func(t *testing.T) {
			var w strings.Builder
			got, err := runGoTest(&w, []string{"go", "test", "-p", "1", "-timeout", "5m", "./" + tt.pkg})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
			b, err := os.ReadFile(filepath.Join(tt.pkg, "runs"))
			if err != nil {
				t.Fatal(err)
			}
			if runs := strings.Join(strings.Fields(string(b)), " "); runs != tt.runs {
				t.Errorf("%s ran, want %s", runs, tt.runs)
			}
			for _, s := range tt.printed {
				if !strings.Contains(w.String(), s) {
					t.Errorf("%q was not printed", s)
				}
			}
			if t.Failed() {
				t.Log(w.String())
			}
		})
	}
}

func TestToRunAgain(t *testing.T) {
	fail := func(pkg, test, reason string) result { return result{pkg, test, failedOutcome, reason, false} }
	tests := []struct {
		name     string
		in       []result
		patterns []string
		why      string
	}{
		{"none failed", []result{{Package: "a", Test: "TestA", Outcome: passed}, {Package: "a", Test: "TestB", Outcome: skipped, Reason: "needs a GPU"}}, nil, ""},
		{"one name in two packages", []result{fail("a", "TestA", ""), fail("b", "TestA", "")}, []string{"^TestA$", "^TestA$"}, ""},
		{"subtests", []result{fail("a", "TestA/x", ""), fail("a", "TestA/y/1", ""), fail("a", "TestA/y/2", "")}, []string{"^TestA$/^(x|y)$"}, ""},
		{"subtests of one", []result{fail("a", "TestA/y/1", ""), fail("a", "TestA/y/2", "")}, []string{"^TestA$/^y$/^(1|2)$"}, ""},
		{"many subtests of few tests", []result{fail("a", "TestA/1", ""), fail("a", "TestA/2", ""), fail("a", "TestA/3", ""), fail("a", "TestA/4", ""), fail("a", "TestB", "")}, []string{"^TestA$/^(1|2|3|4)$", "^TestB$"}, ""},
		{"too many", []result{fail("a", "TestA", ""), fail("a", "TestB", ""), fail("a", "TestC", ""), fail("b", "TestA", "")}, nil, "4 tests failed, more than 3"},
		{"a build beside it", []result{fail("a", "TestA", ""), fail("b", "", "does not build")}, nil, "b: does not build"},
		{"a race beside it", []result{fail("a", "TestA", ""), fail("b", "TestB", "data race")}, nil, "b TestB: data race"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			todo, why := toRunAgain(tt.in)
			var patterns []string
			for _, r := range todo {
				patterns = append(patterns, r.pattern)
			}
			if why != tt.why || !slices.Equal(patterns, tt.patterns) {
				t.Errorf("%q, %q; want %q, %q", patterns, why, tt.patterns, tt.why)
			}
		})
	}
}

func TestFlagsOf(t *testing.T) {
	for _, tt := range []struct {
		argv, want string
		ok         bool
	}{
		{"go test -race -p 1 -timeout 10m ./a/... ./b", "go test -race -p 1 -timeout 10m", true},
		{"go test -tags x .", "go test -tags x", true},
		{"go test -timeout 10m", "go test -timeout 10m", false},
	} {
		if got, ok := flagsOf(strings.Fields(tt.argv)); strings.Join(got, " ") != tt.want || ok != tt.ok {
			t.Errorf("%s: %q, %v", tt.argv, got, ok)
		}
	}
}
