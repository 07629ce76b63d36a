package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// runGenerate generates everything again in a copy of the tree and compares. The copy
// leaves the caller's files alone, and a change that is not committed yet is no breach.
func runGenerate(args []string) ([]result, error) {
	fl := flag.NewFlagSet("generate", flag.ContinueOnError)
	goTool := fl.String("go", "go", "the go command")
	if err := fl.Parse(args); err != nil {
		return nil, err
	}
	parent, err := os.MkdirTemp("", "generate")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(parent)
	if shared, err := filepath.Abs("../shared"); err == nil { // inputs that generators look for beside the checkout
		if _, err := os.Stat(shared); err == nil {
			if err := os.Symlink(shared, filepath.Join(parent, "shared")); err != nil {
				return nil, err
			}
		}
	}
	tree := filepath.Join(parent, "tree")
	files, err := copyTree(tree)
	if errors.Is(err, errNoCheckout) {
		return []result{{Package: "make", Test: "test-generate", Outcome: skipped, Reason: err.Error()}}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("generate: copy the tree: %w", err)
	}
	var results []result
	for _, dir := range generateDirs(tree, files) {
		cmd := exec.Command(*goTool, "generate", ".")
		cmd.Dir = filepath.Join(tree, dir)
		out, err := cmd.CombinedOutput()
		r := result{Package: dir, Test: "go generate", Outcome: passed}
		var exit *exec.ExitError
		switch {
		case errors.As(err, &exit):
			r.Outcome, r.Reason = failedOutcome, exit.String()
			if m := missingTool.FindSubmatch(out); m != nil {
				r.Outcome, r.Reason = skipped, "needs "+string(m[1])
			}
			fmt.Printf("%s  %s: go generate: %v\n%s", r.Outcome, dir, err, out)
		case err != nil:
			return nil, err
		}
		results = append(results, r)
	}
	changed, err := changes(".", tree, files)
	if err != nil {
		return nil, fmt.Errorf("generate: compare: %w", err)
	}
	for _, c := range changed {
		fmt.Printf("%s  %s: %s\n", c.Outcome, filepath.Join(c.Package, c.Test), c.Reason)
	}
	return append(results, changed...), nil
}

// missingTool matches what go generate and a shell say about a program that is not
// installed.
var missingTool = regexp.MustCompile(`([^":\s]+)"?: (?:executable file not found|(?:command )?not found)`)

var errNoCheckout = errors.New("needs git and a checkout, to know which files are the module's")

// copyTree copies what git tracks or would track and returns the names.
func copyTree(to string) ([]string, error) {
	list, err := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		return nil, fmt.Errorf("%w (git ls-files: %w)", errNoCheckout, err)
	}
	var files []string
	for name := range strings.SplitSeq(strings.TrimRight(string(list), "\x00"), "\x00") {
		info, err := os.Lstat(name)
		if errors.Is(err, fs.ErrNotExist) { // deleted, not committed yet
			continue
		}
		if err != nil {
			return nil, err
		}
		if !info.Mode().IsRegular() {
			continue
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		if err := os.MkdirAll(filepath.Join(to, filepath.Dir(name)), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(to, name), b, info.Mode().Perm()); err != nil {
			return nil, err
		}
		files = append(files, name)
	}
	return files, nil
}

var generateLine = regexp.MustCompile(`(?m)^//go:generate `)

// generateDirs are the folders with a go:generate line, without duplicates.
func generateDirs(tree string, files []string) []string {
	var dirs []string
	for _, name := range files {
		dir := filepath.Dir(name)
		if !strings.HasSuffix(name, ".go") || slices.Contains(dirs, dir) {
			continue
		}
		if b, err := os.ReadFile(filepath.Join(tree, name)); err == nil && generateLine.Match(b) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// changes compares the tree that was generated with the one that is there. A file that
// states in its header that it comes from other versions of its inputs is skipped:
// the comparison needs the same registry, headers or compiler.
func changes(have, generated string, files []string) ([]result, error) {
	var out []result
	known := map[string]bool{}
	for _, name := range files {
		known[name] = true
		old, err := os.ReadFile(filepath.Join(have, name))
		if err != nil {
			return nil, err
		}
		fresh, err := os.ReadFile(filepath.Join(generated, name))
		r := result{Package: filepath.Dir(name), Test: filepath.Base(name), Outcome: failedOutcome}
		switch {
		case errors.Is(err, fs.ErrNotExist):
			r.Reason = "go generate removes it"
		case err != nil:
			return nil, err
		case bytes.Equal(old, fresh):
			continue
		case origin(old) != origin(fresh):
			r.Outcome, r.Reason = skipped, fmt.Sprintf("needs what it was made from: %q, here is %q", origin(old), origin(fresh))
		default:
			r.Reason = "differs from what go generate writes; run make generate and commit the result"
		}
		out = append(out, r)
	}
	err := filepath.WalkDir(generated, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(generated, name)
		if err != nil {
			return err
		}
		if !known[rel] {
			out = append(out, result{Package: filepath.Dir(rel), Test: filepath.Base(rel), Outcome: failedOutcome, Reason: "go generate writes it and it is not committed"})
		}
		return nil
	})
	return out, err
}

var generatedHeader = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)

// origin is what a generated file says about its making: the standard header of Go, or
// the generator word of a SPIR-V module (Source: SPIR-V specification, 2.3).
func origin(b []byte) string {
	if len(b) >= 20 && bytes.Equal(b[:4], []byte{0x03, 0x02, 0x23, 0x07}) {
		return fmt.Sprintf("SPIR-V generator %x", b[8:12])
	}
	return string(generatedHeader.Find(b))
}
