package scanout_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
)

// architecture is what check holds a tree against.
type architecture struct {
	module   string
	rows     []row
	confined map[string][]string
	pure     []string
}

// row is one package, or a subtree of packages when path ends in "/...".
type row struct {
	path       string
	floor      int
	also       []string // packages of the same floor that it may import
	tests      []string // packages that its tests may import beside those below
	onlyFrom   []string // the only packages that may import it
	testOnly   bool     // only test files import it
	unsafe     bool     // may import unsafe (internal packages always may)
	goroutines string   // why it may start goroutines
}

// lookup finds the most specific row for a package.
func (a architecture) lookup(pkg string) (row, bool) {
	best, found := row{}, false
	for _, r := range a.rows {
		if match(r.path, pkg) && (!found || len(strings.TrimSuffix(r.path, "/...")) > len(strings.TrimSuffix(best.path, "/...")) || r.path == pkg) {
			best, found = r, true
		}
	}
	return best, found
}

// match reports whether a package is the one that pattern names, or below it when the
// pattern ends in "/...".
func match(pattern, pkg string) bool {
	root, tree := strings.CutSuffix(pattern, "/...")
	return pkg == root || tree && strings.HasPrefix(pkg, root+"/")
}

func matchAny(patterns []string, pkg string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return match(p, pkg) })
}

// check parses every Go file of the module's own tree and returns the breaches it
// finds, in the order of the files. It runs no other program: the result of a test that
// starts `go list` would be cached while the tree changes.
func check(tree fs.FS, a architecture) (breaches []string, err error) {
	report := func(format string, args ...any) {
		if s := fmt.Sprintf(format, args...); !slices.Contains(breaches, s) {
			breaches = append(breaches, s)
		}
	}
	comments := map[string]string{} // package comments
	err = fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name != "." && skipDir(tree, name) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		src, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		pkg := path.Dir(name)
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			report("%s", strings.SplitN(err.Error(), " (and ", 2)[0])
			return nil
		}
		r, ok := a.lookup(pkg)
		if !ok {
			report("%s: no row in arch_test.go; add one there and in ARCHITECTURE.md", pkg)
			return nil
		}
		f := sourceFile{name: name, pkg: pkg, test: strings.HasSuffix(name, "_test.go"), fset: fset, ast: file, row: r}
		if !f.test {
			comments[pkg] += file.Doc.Text()
		}
		f.checkNames(report)
		f.checkImports(a, report)
		if !f.test {
			f.checkBody(a, report)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, pkg := range slices.Sorted(maps.Keys(comments)) {
		r, _ := a.lookup(pkg)
		if comments[pkg] == "" {
			report("%s: no package comment", pkg)
		} else if r.goroutines != "" && r.floor < wiring && !r.testOnly && !strings.Contains(comments[pkg], "goroutine") {
			report("%s: starts goroutines and its package comment does not say so", pkg)
		}
	}
	return breaches, nil
}

// skipDir leaves out what the go command leaves out as well: nested modules, test data,
// and folders whose name starts with a dot or an underscore.
func skipDir(tree fs.FS, dir string) bool {
	base := path.Base(dir)
	if base == "testdata" || base == "vendor" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") {
		return true
	}
	_, err := fs.Stat(tree, path.Join(dir, "go.mod"))
	return err == nil
}

type sourceFile struct {
	name, pkg string
	test      bool
	fset      *token.FileSet
	ast       *ast.File
	row       row
}

// emptyNames say nothing about what is inside.
var emptyNames = []string{"util", "utils", "common", "helper", "helpers", "manager", "managers", "handler", "handlers", "misc", "base", "shared"}

func (f sourceFile) checkNames(report func(string, ...any)) {
	for _, n := range []string{path.Base(f.pkg), strings.TrimSuffix(f.ast.Name.Name, "_test")} {
		if slices.Contains(emptyNames, n) {
			report("%s: name %q says nothing; name the package after what it does", f.pkg, n)
		}
	}
	stem, _, _ := strings.Cut(strings.TrimSuffix(path.Base(f.name), ".go"), "_")
	if slices.Contains(emptyNames, stem) {
		report("%s: name %q says nothing; name the file after what it does", f.name, stem)
	}
}

func (f sourceFile) checkImports(a architecture, report func(string, ...any)) {
	for _, spec := range f.ast.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			report("%s: import path %s: %v", f.name, spec.Path.Value, err)
			continue
		}
		if p == a.module || strings.HasPrefix(p, a.module+"/") {
			target := strings.TrimPrefix(strings.TrimPrefix(p, a.module), "/")
			if target == "" {
				target = "."
			}
			f.checkOwnImport(a, target, report)
			continue
		}
		f.checkOutsideImport(a, p, report)
	}
}

func (f sourceFile) checkOwnImport(a architecture, target string, report func(string, ...any)) {
	if target == f.pkg && f.test { // an external test of its own package
		return
	}
	t, ok := a.lookup(target)
	if !ok {
		report("%s: %s imports %s, which has no row in arch_test.go", f.name, f.pkg, target)
		return
	}
	switch {
	case t.path == f.row.path || slices.Contains(f.row.also, target):
	case f.test && slices.Contains(f.row.tests, target):
	case t.testOnly && f.test:
	case t.testOnly:
		report("%s: %s imports %s, which is for tests only", f.name, f.pkg, target)
	case t.onlyFrom != nil && !matchAny(t.onlyFrom, f.pkg):
		report("%s: %s imports %s, which only %s may import", f.name, f.pkg, target, strings.Join(t.onlyFrom, ", "))
	case t.floor == stage && f.row.floor == stage:
		report("%s: %s imports %s; stages never import each other", f.name, f.pkg, target)
	case f.test && t.floor > f.row.floor:
		report("%s: %s (floor %d) imports %s (floor %d); a test may import its own floor and lower ones", f.name, f.pkg, f.row.floor, target, t.floor)
	case !f.test && t.floor >= f.row.floor:
		report("%s: %s (floor %d) imports %s (floor %d); only lower floors may be imported", f.name, f.pkg, f.row.floor, target, t.floor)
	}
}

func (f sourceFile) checkOutsideImport(a architecture, p string, report func(string, ...any)) {
	if p == "C" {
		report(`%s: imports "C"; the module is built without cgo`, f.name)
	}
	if f.test {
		return
	}
	if p == "unsafe" && !f.row.unsafe && !strings.HasPrefix(f.pkg, "internal/") {
		report("%s: imports unsafe; only internal packages and those marked in arch_test.go may", f.name)
	}
	if slices.Contains(a.pure, f.pkg) && (p == "os" || p == "net" || p == "syscall" || strings.HasPrefix(p, "os/") || strings.HasPrefix(p, "net/")) {
		report("%s: imports %s; this package does no I/O", f.name, p)
	}
	for module, places := range a.confined {
		if p != module && !strings.HasPrefix(p, module+"/") || matchAny(places, f.pkg) {
			continue
		}
		if len(places) == 0 {
			report("%s: imports %s; only tests may", f.name, p)
		} else {
			report("%s: imports %s; only %s may", f.name, p, strings.Join(places, ", "))
		}
	}
}

// checkBody looks at what cannot be seen from imports.
func (f sourceFile) checkBody(a architecture, report func(string, ...any)) {
	line := func(n ast.Node) string {
		p := f.fset.Position(n.Pos())
		return fmt.Sprintf("%s:%d", p.Filename, p.Line)
	}
	clockName := ""
	if slices.Contains(a.pure, f.pkg) {
		clockName = f.importName("time")
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Recv == nil && n.Name.Name == "init" {
				report("%s: func init(); state is built by New, not at start", line(n))
			}
		case *ast.GoStmt:
			if f.row.goroutines == "" {
				report("%s: go statement; goroutines belong to player (or give the row a reason)", line(n))
			}
		case *ast.SelectorExpr:
			x, ok := n.X.(*ast.Ident)
			if ok && clockName != "" && x.Name == clockName && slices.Contains(readsClock, n.Sel.Name) {
				report("%s: time.%s in a package without clocks; take the time as an argument", line(n), n.Sel.Name)
			}
		}
		return true
	})
}

// readsClock are the functions of package time that read a clock or wait for one.
var readsClock = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTicker", "NewTimer"}

// importName is the name under which the file knows a standard package, "" for none.
func (f sourceFile) importName(p string) string {
	for _, spec := range f.ast.Imports {
		if spec.Path.Value == strconv.Quote(p) {
			if spec.Name != nil {
				return spec.Name.Name
			}
			return path.Base(p)
		}
	}
	return ""
}
