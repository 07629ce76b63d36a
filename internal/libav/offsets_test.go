package libav

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// TestGenerated regenerates the table in a copy and compares it with the committed one.
func TestGenerated(t *testing.T) {
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("needs the go command")
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "gen"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{"gen/main.go", "gen/offsets.txt"} {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, f), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(goTool, "run", "gen/main.go")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want, err := os.ReadFile(filepath.Join(dir, "offsets_gen.go"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("offsets_gen.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("offsets_gen.go is stale: run go generate ./internal/libav")
	}
}

// TestOffsetsMatchHeaders asks the C compiler about every field that the table has for
// the installed headers; CFLAGS=-I… names others.
func TestOffsetsMatchHeaders(t *testing.T) {
	cc, err := exec.LookPath("gcc")
	if err != nil {
		t.Skip("needs gcc")
	}
	dir := t.TempDir()
	const head = "#include <stdio.h>\n#include <stddef.h>\n#include <libavcodec/avcodec.h>\n#include <libavformat/avformat.h>\n#include <libavutil/dict.h>\n#include <libavutil/opt.h>\n"
	run := func(name, body string) (string, error) {
		src, bin := filepath.Join(dir, name+".c"), filepath.Join(dir, name)
		if err := os.WriteFile(src, []byte(head+"int main(void){"+body+"return 0;}"), 0o644); err != nil {
			t.Fatal(err)
		}
		args := append([]string{"-w", "-o", bin, src}, strings.Fields(os.Getenv("CFLAGS"))...)
		if out, err := exec.Command(cc, args...).CombinedOutput(); err != nil {
			return string(out), err
		}
		out, err := exec.Command(bin).Output()
		return string(out), err
	}
	out, err := run("major", `printf("%d", LIBAVCODEC_VERSION_MAJOR);`)
	if err != nil {
		t.Skip("needs FFmpeg's headers (libavcodec-dev, libavformat-dev)")
	}
	var major int
	fmt.Sscan(out, &major)
	table := offsetTables[major]
	if table == nil {
		t.Skipf("no offsets for libavcodec %d", major)
	}
	v := reflect.ValueOf(table).Elem()
	var body, want strings.Builder
	for i, f := range offsetFields {
		off := v.Field(i).Uint()
		if uintptr(off) == none {
			continue
		}
		typ, field, _ := strings.Cut(f, ".")
		fmt.Fprintf(&body, "printf(\"%s %%zu\\n\", offsetof(%s, %s));\n", f, typ, field)
		fmt.Fprintf(&want, "%s %d\n", f, off)
	}
	got, err := run("offsets", body.String())
	if err != nil {
		t.Fatalf("%v\n%s", err, got)
	}
	g, w := strings.Split(got, "\n"), strings.Split(want.String(), "\n")
	for i := range w {
		if i >= len(g) || g[i] != w[i] {
			t.Errorf("libavcodec %d: headers say %q, table says %q", major, g[i], w[i])
		}
	}
	t.Logf("libavcodec %d: %d fields compared", major, len(w)-1)
}

func TestTableComplete(t *testing.T) {
	for major, o := range offsetTables {
		v := reflect.ValueOf(o).Elem()
		if v.NumField() != len(offsetFields) {
			t.Fatalf("%d fields, %d names", v.NumField(), len(offsetFields))
		}
		if o.frameData != 0 || o.frameLinesize != 64 || o.frameExtendedData != 96 || o.frameWidth != 104 ||
			o.frameHeight != 108 || o.frameFormat != 116 || o.codecContextOpaque != 48 || o.bufferRefData != 8 {
			t.Errorf("libavcodec %d: the assembly in alloc_amd64.s relies on other offsets", major)
		}
	}
}
