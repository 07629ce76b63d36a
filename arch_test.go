package scanout_test

import (
	"os"
	"testing"
	"testing/fstest"
)

// Floors of the data path: a package imports packages on lower floors only.
const (
	values  = 0 // what flows, and tools without policy
	time1   = 1 // clocks, memory, bindings
	policy  = 2 // decisions and devices
	stage   = 3 // sources, decoders, sinks: never import each other
	wiring  = 4 // the player
	command = 5 // programs
)

// rows has one row for each package of the module. A path that ends in "/..." covers
// the package and everything below it. Adding a package means adding a row here and in
// ARCHITECTURE.md; CONTRIBUTING.md says how to choose the floor.
var rows = []row{
	{path: ".", floor: values}, // documentation only

	{path: "media", floor: values},
	{path: "metrics", floor: values, also: []string{"media"}}, // the ledger records media.Instant
	{path: "yuv", floor: values, unsafe: true},
	{path: "internal/resample", floor: values},
	{path: "internal/ring", floor: values, also: []string{"media", "internal/rt"}},                                   // errors of package media; sleeps by internal/rt
	{path: "internal/rt", floor: values, also: []string{"media"}, goroutines: "Warm starts some and waits for them"}, // deadlines are media.Instant
	{path: "internal/uring", floor: values, also: []string{"media"}},                                                 // its errors are those of package media
	{path: "internal/dl", floor: values},

	{path: "clock", floor: time1},
	{path: "internal/impair", floor: time1, goroutines: "a proxy reads its sockets, and sends what it held back"},
	{path: "framepool", floor: time1, unsafe: true},
	{path: "internal/vk", floor: time1},
	{path: "internal/libav", floor: time1},
	{path: "internal/sdl", floor: time1},
	{path: "internal/udp", floor: time1}, // sockets without knowledge of RTP: receivers, the sender and tests use it
	{path: "internal/wl", floor: time1},
	{path: "internal/x11", floor: time1},
	{path: "trace", floor: time1},
	{path: "tune", floor: time1, onlyFrom: []string{"cmd/..."}},

	{path: "pace", floor: policy},
	{path: "internal/gpu", floor: policy},
	{path: "telemetry", floor: policy},

	{path: "ingest/file", floor: stage},
	{path: "ingest/annexb", floor: stage, also: []string{"decode/bitstream", "decode/bitstream/av1", "decode/bitstream/h264", "decode/bitstream/h265", "decode/bitstream/vp9"}}, // where units begin is the bitstream's to say
	{path: "ingest/raw", floor: stage},
	{path: "ingest/pattern", floor: stage},
	{path: "ingest/rtp", floor: stage, also: []string{"ingest/rtp/fec", "ingest/rtp/jitter", "ingest/rtp/payload"}, goroutines: "one for each stream: a socket blocks, and an io_uring belongs to one thread"},
	{path: "ingest/rtp/fec", floor: policy},
	{path: "ingest/rtp/jitter", floor: policy},
	{path: "ingest/rtp/payload", floor: policy},
	{path: "egress/rtp", floor: stage, goroutines: "requests of receivers are answered when they come; a socket blocks"},
	{path: "ingest/webrtc", floor: stage, also: []string{"ingest/rtp"}},
	{path: "ingest/camera", floor: stage},
	{path: "decode/bitstream", floor: stage},
	{path: "decode/bitstream/av1", floor: stage, also: []string{"decode/bitstream"}},
	{path: "decode/bitstream/h264", floor: stage, also: []string{"decode/bitstream"}},
	{path: "decode/bitstream/h265", floor: stage, also: []string{"decode/bitstream"}},
	{path: "decode/bitstream/vp9", floor: stage, also: []string{"decode/bitstream"}},
	{path: "decode/ffmpeg", floor: stage, also: []string{"decode/bitstream", "decode/bitstream/h264"}, tests: []string{"ingest/file"}}, // helps FFmpeg over lost pictures; its tests decode real files
	{path: "decode/vkvideo", floor: stage, also: []string{"decode/bitstream", "decode/bitstream/av1", "decode/bitstream/h264", "decode/bitstream/h265", "decode/bitstream/vp9"}},
	{path: "render", floor: stage},
	{path: "render/dump", floor: stage},
	{path: "render/soft", floor: stage},
	{path: "audio", floor: stage, goroutines: "one feeds the audio server, whose socket may block"},

	{path: "player", floor: wiring, goroutines: "owns the goroutines of the pipeline"},

	{path: "cmd/scanout/...", floor: command, goroutines: "signals, the keyboard and the progress line live beside the player"},
	{path: "examples/...", floor: command, goroutines: "an example is a program"},

	{path: "internal/avtest/...", floor: policy, testOnly: true, goroutines: "fake peers and proxies run beside the test"},
	{path: "internal/ci/...", floor: command, goroutines: "runs and reads other programs"},
	{path: "internal/vk/gen/...", floor: command},    // reads the registry, writes internal/vk
	{path: "internal/libav/gen/...", floor: command}, // reads the headers, writes internal/libav
	{path: "yuv/...", floor: time1},                  // comparisons with other converters; yuv itself has its own row
}

// confined says which packages may import an outside module; a module that is not
// listed may be imported anywhere.
var confined = map[string][]string{
	"github.com/ebitengine/purego":  {"internal/dl"}, // one place that calls native code
	"github.com/jfreymuth/pulse":    {"audio", "internal/avtest/..."},
	"golang.org/x/net":              {"internal/udp", "cmd/scanout/..."},
	"github.com/alecthomas/kong":    {"cmd/scanout/..."},
	"github.com/google/go-cmp":      {"internal/avtest/..."}, // and tests
	"go.uber.org/goleak":            {"internal/avtest/..."}, // and tests
	"github.com/godbus/dbus/v5":     {"internal/rt"},
	"github.com/klauspost/cpuid/v2": {"yuv/...", "internal/resample", "cmd/scanout/...", "tune"},
}

// pure names the packages that hold no clock, no sleep and no I/O: `now` is an argument.
var pure = []string{"media", "pace", "ingest/rtp/fec", "ingest/rtp/jitter", "ingest/rtp/payload"}

func TestArchitecture(t *testing.T) {
	found, err := check(os.DirFS("."), architecture{module: "github.com/scanout-av/scanout", rows: rows, confined: confined, pure: pure})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		t.Error(f)
	}
}

// TestCheckerFindsBreaches gives the checker one breach at a time, so that a rule that
// stopped working is noticed.
func TestCheckerFindsBreaches(t *testing.T) {
	arch := architecture{
		module: "example.org/m",
		rows: []row{
			{path: "low", floor: values},
			{path: "mem", floor: time1, unsafe: true},
			{path: "clk", floor: time1},
			{path: "tune", floor: time1, onlyFrom: []string{"cmd/..."}},
			{path: "in/rtp", floor: stage},
			{path: "in/web", floor: stage, also: []string{"in/rtp"}},
			{path: "out", floor: stage},
			{path: "fed", floor: stage, tests: []string{"in/rtp"}},
			{path: "busy", floor: stage, goroutines: "a reason"},
			{path: "play", floor: wiring, goroutines: "owns them"},
			{path: "cmd/...", floor: command},
			{path: "internal/fake/...", floor: policy, testOnly: true},
			{path: "internal/bind", floor: time1},
		},
		confined: map[string][]string{"example.net/ffi": {"internal/bind"}, "example.net/cmp": nil},
		pure:     []string{"low"},
	}
	tests := []struct {
		name, file, src string
		want            string // "" = no breach
	}{
		{"lower floor", "clk/a.go", `import _ "example.org/m/low"`, ""},
		{"same floor", "clk/a.go", `import _ "example.org/m/mem"`, "clk/a.go: clk (floor 1) imports mem (floor 1); only lower floors may be imported"},
		{"higher floor", "low/a.go", `import _ "example.org/m/play"`, "low/a.go: low (floor 0) imports play (floor 4); only lower floors may be imported"},
		{"higher floor from a test", "low/a_test.go", `import _ "example.org/m/clk"`, "low/a_test.go: low (floor 0) imports clk (floor 1); a test may import its own floor and lower ones"},
		{"same floor from a test", "clk/a_test.go", `import _ "example.org/m/mem"`, ""},
		{"stage imports stage", "out/a.go", `import _ "example.org/m/in/rtp"`, "out/a.go: out imports in/rtp; stages never import each other"},
		{"stage imports stage from a test", "out/a_test.go", `import _ "example.org/m/in/rtp"`, "out/a_test.go: out imports in/rtp; stages never import each other"},
		{"stage whose tests are fed by another", "fed/a_test.go", `import _ "example.org/m/in/rtp"`, ""},
		{"stage fed by another outside tests", "fed/a.go", `import _ "example.org/m/in/rtp"`, "fed/a.go: fed imports in/rtp; stages never import each other"},
		{"named exception", "in/web/a.go", `import _ "example.org/m/in/rtp"`, ""},
		{"exception works one way", "in/rtp/a.go", `import _ "example.org/m/in/web"`, "in/rtp/a.go: in/rtp imports in/web; stages never import each other"},
		{"own subtree", "cmd/x/a.go", `import _ "example.org/m/cmd/x/flags"`, ""},
		{"only from, allowed", "cmd/x/a.go", `import _ "example.org/m/tune"`, ""},
		{"only from, breached", "play/a.go", `import _ "example.org/m/tune"`, "play/a.go: play imports tune, which only cmd/... may import"},
		{"test support in a test", "low/a_test.go", `import _ "example.org/m/internal/fake/clock"`, ""},
		{"test support in code", "play/a.go", `import _ "example.org/m/internal/fake/clock"`, "play/a.go: play imports internal/fake/clock, which is for tests only"},
		{"package without a row", "shiny/a.go", ``, "shiny: no row in arch_test.go; add one there and in ARCHITECTURE.md"},
		{"import of a package without a row", "play/a.go", `import _ "example.org/m/gone"`, "play/a.go: play imports gone, which has no row in arch_test.go"},
		{"cgo", "mem/a.go", `import "C"`, `mem/a.go: imports "C"; the module is built without cgo`},
		{"cgo in a test", "mem/a_test.go", `import "C"`, `mem/a_test.go: imports "C"; the module is built without cgo`},
		{"unsafe in policy", "play/a.go", `import _ "unsafe"`, "play/a.go: imports unsafe; only internal packages and those marked in arch_test.go may"},
		{"unsafe where marked", "mem/a.go", `import _ "unsafe"`, ""},
		{"unsafe in internal", "internal/bind/a.go", `import _ "unsafe"`, ""},
		{"confined module", "out/a.go", `import _ "example.net/ffi/sub"`, "out/a.go: imports example.net/ffi/sub; only internal/bind may"},
		{"confined module in its place", "internal/bind/a.go", `import _ "example.net/ffi"`, ""},
		{"test module in a test", "out/a_test.go", `import _ "example.net/cmp"`, ""},
		{"test module in code", "out/a.go", `import _ "example.net/cmp"`, "out/a.go: imports example.net/cmp; only tests may"},
		{"similar module path", "out/a.go", `import _ "example.net/ffi2"`, ""},
		{"init", "out/a.go", `func init() {}`, "out/a.go:4: func init(); state is built by New, not at start"},
		{"method named init", "out/a.go", `type t int; func (t) init() {}`, ""},
		{"go statement", "out/a.go", `func f() { go f() }`, "out/a.go:4: go statement; goroutines belong to player (or give the row a reason)"},
		{"go statement in a closure", "out/a.go", `var f = func() { go func() {}() }`, "out/a.go:4: go statement; goroutines belong to player (or give the row a reason)"},
		{"go statement with a reason", "play/a.go", `func f() { go f() }`, ""},
		{"go statement in a test", "out/a_test.go", `func f() { go f() }`, ""},
		{"clock in a pure package", "low/a.go", `import "time"; var f = time.Now`, "low/a.go:4: time.Now in a package without clocks; take the time as an argument"},
		{"renamed clock in a pure package", "low/a.go", `import tm "time"; func f() { tm.Sleep(1) }`, "low/a.go:4: time.Sleep in a package without clocks; take the time as an argument"},
		{"duration in a pure package", "low/a.go", `import "time"; const d = time.Second`, ""},
		{"clock elsewhere", "out/a.go", `import "time"; var f = time.Now`, ""},
		{"I/O in a pure package", "low/a.go", `import _ "net/http"`, "low/a.go: imports net/http; this package does no I/O"},
		{"file name that says nothing", "out/helpers_linux_test.go", ``, `out/helpers_linux_test.go: name "helpers" says nothing; name the file after what it does`},
		{"tests of such a name in a type", "out/bufferutil.go", ``, ""},
		{"nested module", "_asm/a.go", `import "C"`, ""},
		{"test data", "out/testdata/a.go", `import "C"`, ""},
		{"syntax error", "out/a.go", `func {`, "out/a.go:4:6: expected 'IDENT', found '{'"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tree := fstest.MapFS{tt.file: {Data: []byte("// Package x is here.\npackage x\n\n" + tt.src + "\n")}}
			wantBreaches(t, tree, arch, tt.want)
		})
	}

	t.Run("banned package name", func(t *testing.T) {
		a := arch
		a.rows = append([]row{{path: "avutils", floor: values}, {path: "utils", floor: values}}, arch.rows...)
		wantBreaches(t, fstest.MapFS{"utils/a.go": {Data: []byte("// Package utils is.\npackage utils\n")}}, a,
			`utils: name "utils" says nothing; name the package after what it does`)
	})
	t.Run("package clause with a banned name", func(t *testing.T) {
		wantBreaches(t, fstest.MapFS{"out/a.go": {Data: []byte("// Package common is.\npackage common\n")}}, arch,
			`out: name "common" says nothing; name the package after what it does`)
	})
	t.Run("no package comment", func(t *testing.T) {
		wantBreaches(t, fstest.MapFS{"out/a.go": {Data: []byte("package out\n")}}, arch,
			"out: no package comment")
	})
	t.Run("goroutines that the package comment hides", func(t *testing.T) {
		wantBreaches(t, fstest.MapFS{"busy/a.go": {Data: []byte("// Package busy is.\npackage busy\n")}}, arch,
			"busy: starts goroutines and its package comment does not say so")
	})
	t.Run("goroutines that the package comment states", func(t *testing.T) {
		wantBreaches(t, fstest.MapFS{"busy/a.go": {Data: []byte("// Package busy is.\n//\n// Concurrency: one goroutine reads.\npackage busy\n")}}, arch, "")
	})
	t.Run("package comment in another file", func(t *testing.T) {
		wantBreaches(t, fstest.MapFS{
			"out/a.go":   {Data: []byte("package out\n")},
			"out/doc.go": {Data: []byte("// Package out is.\npackage out\n")},
		}, arch, "")
	})
	t.Run("nested module by go.mod", func(t *testing.T) {
		wantBreaches(t, fstest.MapFS{
			"out/gen/go.mod": {Data: []byte("module gen\n")},
			"out/gen/a.go":   {Data: []byte("package main\nimport \"C\"\n")},
		}, arch, "")
	})
}

func wantBreaches(t *testing.T, tree fstest.MapFS, a architecture, want string) {
	t.Helper()
	found, err := check(tree, a)
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case want == "" && len(found) != 0:
		t.Errorf("want no breach, got %q", found)
	case want != "" && (len(found) != 1 || found[0] != want):
		t.Errorf("got %q\nwant %q", found, want)
	}
}

// TestRowsNameOnePlace checks the table itself: a path has one row, and the packages
// that rows refer to have rows.
func TestRowsNameOnePlace(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range rows {
		if seen[r.path] {
			t.Errorf("two rows for %s", r.path)
		}
		seen[r.path] = true
	}
	for _, r := range rows {
		for _, p := range r.also {
			if !seen[p] {
				t.Errorf("%s may import %s, which has no row", r.path, p)
			}
		}
	}
}
