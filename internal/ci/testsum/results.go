package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

type outcome string

const (
	passed        outcome = "passed"
	failedOutcome outcome = "failed"
	skipped       outcome = "skipped"
)

// result is what became of one test, or of one package or step that failed as a whole.
type result struct {
	Package string
	Test    string // "" = the package itself (build, TestMain, a crash)
	Outcome outcome
	// Reason says why it was skipped, or what failed beside the test's own checks: such a
	// test is not run again.
	Reason string
	Again  bool `json:",omitempty"` // it failed at first, and passed when it was run again
}

// stepResult is what one step leaves for the report.
type stepResult struct {
	Name    string
	Seconds float64
	Results []result
}

func (s stepResult) outcome() outcome {
	o := skipped
	for _, r := range s.Results {
		switch r.Outcome {
		case failedOutcome:
			return failedOutcome
		case passed:
			o = passed
		}
	}
	return o
}

func (s stepResult) save(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("results of %s: %w", s.Name, err)
	}
	b, err := json.MarshalIndent(s, "", "\t")
	if err != nil {
		return fmt.Errorf("results of %s: %w", s.Name, err)
	}
	if err := os.WriteFile(filepath.Join(dir, s.Name+".json"), b, 0o644); err != nil {
		return fmt.Errorf("results of %s: %w", s.Name, err)
	}
	return nil
}

// loadSteps reads the results of the named steps. A step that left none has failed: it
// was not run, or it crashed.
func loadSteps(dir string, names []string) ([]stepResult, error) {
	var steps []stepResult
	for _, name := range names {
		b, err := os.ReadFile(filepath.Join(dir, name+".json"))
		if os.IsNotExist(err) {
			steps = append(steps, stepResult{Name: name, Results: []result{{Package: "make", Test: "test-" + name, Outcome: failedOutcome, Reason: "left no result"}}})
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("results of %s: %w", name, err)
		}
		var s stepResult
		if err := json.Unmarshal(b, &s); err != nil {
			return nil, fmt.Errorf("results of %s: %w", name, err)
		}
		steps = append(steps, s)
	}
	return steps, nil
}
