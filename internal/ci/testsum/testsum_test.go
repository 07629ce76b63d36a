package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

func TestReadEvents(t *testing.T) {
	tests := []struct {
		name, in string
		want     []result
		printed  []string // must appear
		quiet    []string // must not appear
	}{
		{
			name: "pass, skip with its reason, subtests",
			in: `{"Action":"start","Package":"m/a"}
{"Action":"run","Package":"m/a","Test":"TestOne"}
{"Action":"output","Package":"m/a","Test":"TestOne","Output":"    a_test.go:3: chatter\n"}
{"Action":"pass","Package":"m/a","Test":"TestOne","Elapsed":0.1}
{"Action":"output","Package":"m/a","Test":"TestTwo","Output":"    a_test.go:7: first message\n"}
{"Action":"output","Package":"m/a","Test":"TestTwo","Output":"    a_test.go:8: needs a GPU\n"}
{"Action":"output","Package":"m/a","Test":"TestTwo","Output":"        and a display\n"}
{"Action":"output","Package":"m/a","Test":"TestTwo","Output":"--- SKIP: TestTwo (0.00s)\n"}
{"Action":"skip","Package":"m/a","Test":"TestTwo"}
{"Action":"pass","Package":"m/a","Test":"TestThree/x"}
{"Action":"pass","Package":"m/a","Test":"TestThree/y/z"}
{"Action":"pass","Package":"m/a","Test":"TestThree/y"}
{"Action":"pass","Package":"m/a","Test":"TestThree"}
{"Action":"output","Package":"m/a","Output":"ok  \tm/a\t(cached)\n"}
{"Action":"pass","Package":"m/a","Elapsed":1.5}
`,
			want: []result{
				{Package: "m/a", Test: "TestOne", Outcome: passed},
				{Package: "m/a", Test: "TestThree/x", Outcome: passed},
				{Package: "m/a", Test: "TestThree/y/z", Outcome: passed},
				{Package: "m/a", Test: "TestTwo", Outcome: skipped, Reason: "needs a GPU and a display"},
			},
			printed: []string{"ok    m/a  1.5s  3 passed, 1 skipped (cached)"},
			quiet:   []string{"chatter"},
		},
		{
			name: "a failed subtest counts once and says all",
			in: `{"Action":"output","Package":"m/a","Test":"TestBad/x","Output":"    a_test.go:9: got 1\n"}
{"Action":"fail","Package":"m/a","Test":"TestBad/x"}
{"Action":"pass","Package":"m/a","Test":"TestBad/y"}
{"Action":"fail","Package":"m/a","Test":"TestBad"}
{"Action":"output","Package":"m/a","Output":"FAIL\n"}
{"Action":"fail","Package":"m/a","Elapsed":2}
`,
			want: []result{
				{Package: "m/a", Test: "TestBad/x", Outcome: failedOutcome},
				{Package: "m/a", Test: "TestBad/y", Outcome: passed},
			},
			printed: []string{"FAIL  m/a", "a_test.go:9: got 1"},
		},
		{
			name: "a parent that fails by itself counts",
			in: `{"Action":"pass","Package":"m/a","Test":"TestBad/y"}
{"Action":"fail","Package":"m/a","Test":"TestBad"}
{"Action":"output","Package":"m/a","Output":"FAIL\n"}
{"Action":"fail","Package":"m/a"}
`,
			want: []result{
				{Package: "m/a", Test: "TestBad", Outcome: failedOutcome},
				{Package: "m/a", Test: "TestBad/y", Outcome: passed},
			},
		},
		{
			name: "a data race",
			in: `{"Action":"output","Package":"m/a","Test":"TestRacy","Output":"WARNING: DATA RACE\n"}
{"Action":"output","Package":"m/a","Test":"TestRacy","Output":"    testing.go:1712: race detected during execution of test\n"}
{"Action":"fail","Package":"m/a","Test":"TestRacy"}
{"Action":"fail","Package":"m/a","Test":"TestSlow"}
{"Action":"output","Package":"m/a","Output":"FAIL\n"}
{"Action":"fail","Package":"m/a"}
`,
			want: []result{
				{Package: "m/a", Test: "TestRacy", Outcome: failedOutcome, Reason: "data race"},
				{Package: "m/a", Test: "TestSlow", Outcome: failedOutcome, Reason: "data race"},
			},
		},
		{
			name: "a race that was printed while a test ran that passed",
			in: `{"Action":"output","Package":"m/a","Test":"TestOne","Output":"WARNING: DATA RACE\n"}
{"Action":"pass","Package":"m/a","Test":"TestOne"}
{"Action":"fail","Package":"m/a","Test":"TestTwo"}
{"Action":"output","Package":"m/a","Output":"FAIL\n"}
{"Action":"fail","Package":"m/a"}
`,
			want: []result{
				{Package: "m/a", Test: "TestOne", Outcome: passed},
				{Package: "m/a", Test: "TestTwo", Outcome: failedOutcome, Reason: "data race"},
			},
		},
		{
			name: "a package that takes too long",
			in: `{"Action":"run","Package":"m/a","Test":"TestHang"}
{"Action":"output","Package":"m/a","Test":"TestHang","Output":"panic: test timed out after 10m0s\n"}
{"Action":"output","Package":"m/a","Output":"FAIL\tm/a\t600.1s\n"}
{"Action":"fail","Package":"m/a"}
`,
			want: []result{{Package: "m/a", Outcome: failedOutcome, Reason: "timeout of the package"}},
		},
		{
			name: "a test that ends the program",
			in: `{"Action":"fail","Package":"m/a","Test":"TestBad"}
{"Action":"run","Package":"m/a","Test":"TestExit"}
{"Action":"output","Package":"m/a","Output":"FAIL\tm/a\t0.1s\n"}
{"Action":"fail","Package":"m/a"}
`,
			want: []result{{Package: "m/a", Test: "TestBad", Outcome: failedOutcome, Reason: "its package ended early"}},
		},
		{
			name: "a package that fails after its tests",
			in: `{"Action":"pass","Package":"m/a","Test":"TestOne"}
{"Action":"output","Package":"m/a","Output":"leak: 2 frames\n"}
{"Action":"output","Package":"m/a","Output":"FAIL\tm/a\t0.1s\n"}
{"Action":"fail","Package":"m/a"}
`,
			want: []result{
				{Package: "m/a", Test: "TestOne", Outcome: passed},
				{Package: "m/a", Outcome: failedOutcome, Reason: "the package failed outside its tests"},
			},
			printed: []string{"leak: 2 frames"},
			quiet:   []string{"FAIL\tm/a"},
		},
		{
			name: "a package that does not build",
			in: `{"ImportPath":"m/a [m/a.test]","Action":"build-output","Output":"a.go:3: undefined: x\n"}
{"ImportPath":"m/a [m/a.test]","Action":"build-fail"}
{"Action":"start","Package":"m/a"}
{"Action":"fail","Package":"m/a","FailedBuild":"m/a [m/a.test]"}
`,
			want:    []result{{Package: "m/a", Outcome: failedOutcome, Reason: "does not build"}},
			printed: []string{"a.go:3: undefined: x"},
		},
		{
			name: "go test stopped in the middle",
			in: `{"Action":"run","Package":"m/a","Test":"TestHang"}
{"Action":"output","Package":"m/a","Test":"TestHang","Output":"still here\n"}
`,
			want:    []result{{Package: "m/a", Outcome: failedOutcome, Reason: "did not finish"}},
			printed: []string{"did not finish", "still here"},
		},
		{
			name:    "no test files, and go speaking for itself",
			in:      "go: downloading x v1.0.0\n" + `{"Action":"output","Package":"m/a","Output":"?   \tm/a\t[no test files]\n"}` + "\n" + `{"Action":"skip","Package":"m/a"}`,
			printed: []string{"go: downloading x"},
			quiet:   []string{"m/a"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var w strings.Builder
			got, err := readEvents(&w, strings.NewReader(tt.in))
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
			for _, s := range tt.printed {
				if !strings.Contains(w.String(), s) {
					t.Errorf("%q was not printed:\n%s", s, w.String())
				}
			}
			for _, s := range tt.quiet {
				if strings.Contains(w.String(), s) {
					t.Errorf("%q was printed:\n%s", s, w.String())
				}
			}
		})
	}
}

func TestReport(t *testing.T) {
	pass := result{Package: "m/a", Test: "TestOne", Outcome: passed}
	skip := result{Package: "m/a", Test: "TestGPU/x", Outcome: skipped, Reason: "needs a GPU"}
	fail := result{Package: "m/a", Test: "TestOne", Outcome: failedOutcome}
	again := result{Package: "m/a", Test: "TestOne", Outcome: passed, Again: true}
	allow, err := parseAllowed(strings.NewReader("# a comment\n\na TestGPU* CI has no GPU\n"))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		steps  []stepResult
		allow  []allowed
		strict bool
		ok     bool
		last   string
		want   string
	}{
		{"all well", []stepResult{{"unit", 1, []result{pass}}}, nil, true, true, "1 passed, 0 failed, 0 skipped", "unit"},
		{"passed once, failed once", []stepResult{{"unit", 1, []result{pass}}, {"race", 1, []result{fail}}}, nil, false, false, "0 passed, 1 failed, 0 skipped", "a  TestOne"},
		{"skipped once, passed once", []stepResult{{"race", 1, []result{skip}}, {"unit", 1, []result{{Package: "m/a", Test: "TestGPU/x", Outcome: passed}}}}, nil, true, true, "1 passed, 0 failed, 0 skipped", ""},
		{"failed once", []stepResult{{"unit", 1, []result{pass}}, {"race", 1, []result{again}}}, nil, true, true, "1 passed, 0 failed, 0 skipped", "== failed once, passed when run again\na  TestOne  (race; "},
		{"failed once, and failed", []stepResult{{"unit", 1, []result{again}}, {"race", 1, []result{fail}}}, nil, true, false, "0 passed, 1 failed, 0 skipped", "run again\na  TestOne  (unit; the log has its first failure)\n\n== failed\na  TestOne\n"},
		{"skip", []stepResult{{"unit", 1, []result{pass, skip}}}, nil, false, true, "1 passed, 0 failed, 1 skipped", "a: needs a GPU\n    TestGPU/x"},
		{"skip where none may be", []stepResult{{"unit", 1, []result{skip}}}, nil, true, false, "0 passed, 0 failed, 1 skipped", "NOT ALLOWED"},
		{"skip that is allowed", []stepResult{{"unit", 1, []result{skip}}}, allow, true, true, "0 passed, 0 failed, 1 skipped", "allowed: CI has no GPU"},
		{"skip in another package", []stepResult{{"unit", 1, []result{{Package: "m/b", Test: "TestGPU", Outcome: skipped}}}}, allow, true, false, "0 passed, 0 failed, 1 skipped", "NOT ALLOWED"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var w strings.Builder
			if ok := report(&w, "m", tt.steps, tt.allow, tt.strict); ok != tt.ok {
				t.Errorf("report: %v, want %v", ok, tt.ok)
			}
			if !strings.HasSuffix(w.String(), "\n"+tt.last+"\n") {
				t.Errorf("want the last line %q:\n%s", tt.last, w.String())
			}
			if !strings.Contains(w.String(), tt.want) {
				t.Errorf("want %q in:\n%s", tt.want, w.String())
			}
		})
	}
	if _, err := parseAllowed(strings.NewReader("a TestX\n")); err == nil {
		t.Error("an allowed skip without a reason was accepted")
	}
}

func TestMissingStepFails(t *testing.T) {
	dir := t.TempDir()
	if err := (stepResult{"vet", 1, []result{{Package: "make", Test: "test-vet", Outcome: passed}}}).save(dir); err != nil {
		t.Fatal(err)
	}
	steps, err := loadSteps(dir, []string{"vet", "race"})
	if err != nil {
		t.Fatal(err)
	}
	if steps[0].outcome() != passed || steps[1].outcome() != failedOutcome {
		t.Errorf("vet %s, race %s; want passed, failed", steps[0].outcome(), steps[1].outcome())
	}
}

func TestStepExitStatus(t *testing.T) {
	for command, want := range map[string]outcome{"true": passed, "false": failedOutcome} {
		got, err := runStep("x", []string{command})
		if err != nil {
			t.Fatal(err)
		}
		if got[0].Outcome != want {
			t.Errorf("%s: %s, want %s", command, got[0].Outcome, want)
		}
	}
	if _, err := runStep("x", []string{"no-such-command-anywhere"}); err == nil {
		t.Error("a command that does not exist was no error")
	}
}

func TestFindFuzz(t *testing.T) {
	tree := fstest.MapFS{
		"a/a_test.go":          {Data: []byte("package a\nfunc FuzzA(f *testing.F) {}\nfunc Fuzzy() {}\nfunc (T) FuzzM(f *testing.F) {}\n")},
		"a/a.go":               {Data: []byte("package a\nfunc FuzzNot(x int) {}\n")},
		"a/testdata/b_test.go": {Data: []byte("package b\nfunc FuzzB(f *testing.F) {}\n")},
		"n/go.mod":             {Data: []byte("module n\n")},
		"n/n_test.go":          {Data: []byte("package n\nfunc FuzzN(f *testing.F) {}\n")},
	}
	got, err := findFuzz(tree)
	if err != nil {
		t.Fatal(err)
	}
	if want := []fuzzTarget{{"a", "FuzzA"}}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestShares(t *testing.T) {
	targets := []fuzzTarget{{"raw", "FuzzY4M"}, {"a", "FuzzA"}, {"b", "FuzzB"}}
	long := regexp.MustCompile("Y4M")
	s := time.Second
	for _, tt := range []struct {
		budget time.Duration
		want   []time.Duration
	}{
		{100 * s, []time.Duration{30 * s, 10 * s, 10 * s}},
		{40 * s, []time.Duration{30 * s, 5 * s, 5 * s}},
		{10 * s, []time.Duration{30 * s, s, s}},
	} {
		if got := shares(targets, 10*s, 30*s, tt.budget, long); !slices.Equal(got, tt.want) {
			t.Errorf("budget %v: %v, want %v", tt.budget, got, tt.want)
		}
	}
}

func TestChanges(t *testing.T) {
	const header = "// Code generated by gen from registry 1; DO NOT EDIT.\n"
	spirv := func(generator byte, body string) string {
		return "\x03\x02\x23\x07\x00\x00\x01\x00" + string(generator) + "\x00\x08\x00" + "\x00\x00\x00\x00\x00\x00\x00\x00" + body
	}
	have := map[string]string{
		"same.go": header + "a", "stale.go": header + "a", "input.go": header + "a", "gone.go": header,
		"same.spv": spirv(1, "a"), "stale.spv": spirv(1, "a"), "input.spv": spirv(1, "a"),
	}
	fresh := map[string]string{
		"same.go": header + "a", "stale.go": header + "b", "input.go": strings.Replace(header, "1", "2", 1) + "b", "more.go": header,
		"same.spv": spirv(1, "a"), "stale.spv": spirv(1, "b"), "input.spv": spirv(2, "b"),
	}
	dir := t.TempDir()
	var names []string
	for folder, files := range map[string]map[string]string{"have": have, "fresh": fresh} {
		for name, text := range files {
			to := filepath.Join(dir, folder, "p", name)
			if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(to, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			if folder == "have" {
				names = append(names, filepath.Join("p", name))
			}
		}
	}
	got, err := changes(filepath.Join(dir, "have"), filepath.Join(dir, "fresh"), names)
	if err != nil {
		t.Fatal(err)
	}
	outcomes := map[string]outcome{}
	for _, r := range got {
		outcomes[r.Test] = r.Outcome
	}
	want := map[string]outcome{
		"stale.go": failedOutcome, "gone.go": failedOutcome, "more.go": failedOutcome, "stale.spv": failedOutcome,
		"input.go": skipped, "input.spv": skipped,
	}
	for name := range want {
		if outcomes[name] != want[name] {
			t.Errorf("%s: %q, want %q", name, outcomes[name], want[name])
		}
	}
	if len(outcomes) != len(want) {
		t.Errorf("got %v, want %v", outcomes, want)
	}
}

func TestMissingTool(t *testing.T) {
	for _, said := range []string{
		`doc.go:9: running "glslangValidator": exec: "glslangValidator": executable file not found in $PATH`,
		`shader/compile.sh: 5: glslangValidator: not found`,
		`compile.sh: line 5: glslangValidator: command not found`,
	} {
		if m := missingTool.FindStringSubmatch(said); m == nil || m[1] != "glslangValidator" {
			t.Errorf("%q: %q", said, m)
		}
	}
	if m := missingTool.FindString("a.go:3: undefined: x"); m != "" {
		t.Errorf("a compile error was taken for a missing program: %q", m)
	}
}

func TestGaveUp(t *testing.T) {
	const deadline = "--- FAIL: FuzzX (10.10s)\n    context deadline exceeded\n"
	if !gaveUp([]byte(deadline)) || gaveUp([]byte(deadline+"Failing input written to testdata/fuzz/FuzzX/1\n")) || gaveUp([]byte("--- FAIL: FuzzX\n")) {
		t.Error("the engine's own deadline and a failing input are told apart wrongly")
	}
}
