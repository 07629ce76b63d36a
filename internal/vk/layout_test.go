package vk

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/scanout-av/scanout/media"
)

type layout struct {
	name    string
	size    uintptr
	members []member
}

// member is a field at an offset, or, with a set function, a bit-field whose bits that
// function sets.
type member struct {
	name   string
	offset uintptr
	set    func() []byte
}

type value struct {
	name  string
	value int64
}

// TestLayoutMatchesC compares sizes, offsets, bit-fields and enumerants with what a C
// compiler makes of the installed headers, as far as those know the names.
func TestLayoutMatchesC(t *testing.T) {
	cc, err := exec.LookPath("gcc")
	if err != nil {
		t.Skip("needs gcc")
	}
	if _, err := os.Stat("/usr/include/vulkan/vulkan.h"); err != nil {
		t.Skip("needs the Vulkan headers: apt-get install libvulkan-dev")
	}
	dir := t.TempDir()
	src := filepath.Join(dir, "layout.c")
	const include = "#define VK_ENABLE_BETA_EXTENSIONS\n#include <stdio.h>\n#include <stddef.h>\n#include <string.h>\n#include <vulkan/vulkan.h>\n"
	if err := os.WriteFile(src, []byte(include), 0o644); err != nil {
		t.Fatal(err)
	}
	headers, err := exec.Command(cc, "-E", "-P", src).Output()
	if err != nil {
		t.Fatalf("gcc -E: %v", err)
	}
	known := map[string]string{}
	for _, m := range regexp.MustCompile(`(?s)typedef (?:struct|union) (\w+) \{(.*?)\} \w+;`).FindAllSubmatch(headers, -1) {
		known[string(m[1])] = string(m[2])
	}
	constants := map[string]bool{}
	for _, m := range regexp.MustCompile(`\b((?:VK|STD)_[A-Z0-9_a-z]+) = `).FindAllSubmatch(headers, -1) {
		constants[string(m[1])] = true
	}
	var c bytes.Buffer
	c.WriteString(include + `
static void bits(const char *n, const void *p, size_t z) {
	printf("%s ", n);
	for (size_t i = 0; i < z; i++) printf("%02x", ((const unsigned char *)p)[i]);
	printf("\n");
}
int main(void) {
`)
	want := map[string]string{}
	for _, l := range layouts {
		body, ok := known[l.name]
		if !ok {
			continue
		}
		fmt.Fprintf(&c, "printf(\"%%s %%zu\\n\", %q, sizeof(%s));\n", l.name, l.name)
		want[l.name] = strconv.Itoa(int(l.size))
		for _, m := range l.members {
			if !regexp.MustCompile(`\b` + m.name + `\b`).MatchString(body) {
				continue
			}
			key := l.name + "." + m.name
			if m.set != nil {
				fmt.Fprintf(&c, "{ %s x; memset(&x, 0, sizeof x); x.%s = ~0; bits(%q, &x, sizeof x); }\n", l.name, m.name, key)
				want[key] = hex.EncodeToString(m.set())
				continue
			}
			fmt.Fprintf(&c, "printf(\"%%s %%zu\\n\", %q, offsetof(%s, %s));\n", key, l.name, m.name)
			want[key] = strconv.Itoa(int(m.offset))
		}
	}
	for _, v := range values {
		if constants[v.name] {
			fmt.Fprintf(&c, "printf(\"%%s %%lld\\n\", %q, (long long)%s);\n", v.name, v.name)
			want[v.name] = strconv.FormatInt(v.value, 10)
		}
	}
	c.WriteString("return 0; }\n")
	if err := os.WriteFile(src, c.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(dir, "layout")
	if out, err := exec.Command(cc, "-O0", "-w", "-o", bin, src).CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	out, err := exec.Command(bin).Output()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(out)) {
		name, got, _ := strings.Cut(strings.TrimSpace(line), " ")
		if want[name] != got {
			t.Errorf("%s: Go has %s, C has %s", name, want[name], got)
		}
		n++
	}
	if n != len(want) || n < 3000 {
		t.Errorf("compared %d of %d values; at least 3000 expected", n, len(want))
	}
	t.Logf("%d sizes, offsets, bit-fields and constants agree", n)
}

func TestResult(t *testing.T) {
	if SUCCESS.Err() != nil || SUBOPTIMAL_KHR.Err() != nil || TIMEOUT.Err() != nil {
		t.Error("a success is an error")
	}
	for r, want := range map[Result]error{ERROR_DEVICE_LOST: media.ErrDeviceLost, ERROR_OUT_OF_DATE_KHR: media.ErrOutOfDate,
		ERROR_EXTENSION_NOT_PRESENT: media.ErrNotSupported} {
		if err := fmt.Errorf("vk: x: %w", r.Err()); !errors.Is(err, want) {
			t.Errorf("%v is not %v", err, want)
		}
	}
	if errors.Is(ERROR_OUT_OF_HOST_MEMORY, media.ErrDeviceLost) {
		t.Error("out of memory is device lost")
	}
	if s := Result(-4).Error(); !strings.Contains(s, "VK_ERROR_DEVICE_LOST") {
		t.Error(s)
	}
	if s := Result(-12345).String(); s != "Result(-12345)" {
		t.Error(s)
	}
}
