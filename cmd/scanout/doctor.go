package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"github.com/klauspost/cpuid/v2"

	"github.com/scanout-av/scanout/player"
)

type doctorCommand struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// finding is one thing that scanout can make use of.
type finding struct {
	Area   string `json:"area"`
	Name   string `json:"name"`
	Status status `json:"status"`
	Detail string `json:"detail"`
	Cost   string `json:"cost,omitempty"` // of its absence
	Get    string `json:"get,omitempty"`  // the command that gets it
}

type status string

const (
	present status = "ok"
	limited status = "limited"
	missing status = "missing"
)

type findings []finding

func (f *findings) ok(area, name, format string, a ...any) {
	*f = append(*f, finding{area, name, present, fmt.Sprintf(format, a...), "", ""})
}

func (f *findings) lacks(s status, area, name, detail, cost, get string) {
	*f = append(*f, finding{area, name, s, detail, cost, get})
}

func (c *doctorCommand) Run(env *environment) error {
	var f findings
	f.ok("system", "machine", "%s", machine())
	f.ok("system", "scanout", "%s", version())
	checkCPU(&f)
	checkVulkan(&f)
	checkFFmpeg(&f)
	checkWindow(&f)
	checkAudio(&f)
	checkKernel(&f)
	if c.JSON {
		e := json.NewEncoder(env.out)
		e.SetIndent("", "  ")
		return e.Encode(f)
	}
	f.print(env.out)
	return nil
}

func (f findings) print(w io.Writer) {
	area := ""
	for _, x := range f {
		if x.Area != area {
			area = x.Area
			fmt.Fprintf(w, "%s\n", area)
		}
		mark := map[status]string{present: "ok     ", limited: "limited", missing: "missing"}[x.Status]
		fmt.Fprintf(w, "  %s  %s: %s\n", mark, x.Name, strings.ReplaceAll(strings.TrimSpace(x.Detail), "\n", "; "))
		if x.Cost != "" {
			fmt.Fprintf(w, "           costs: %s\n", x.Cost)
		}
		if x.Get != "" {
			fmt.Fprintf(w, "           get it: %s\n", x.Get)
		}
	}
}

func checkCPU(f *findings) {
	var have []string
	for _, x := range []struct {
		id   cpuid.FeatureID
		name string
	}{{cpuid.AVX2, "AVX2"}, {cpuid.AVX512BW, "AVX-512BW"}, {cpuid.AVX512VBMI, "AVX-512VBMI"}, {cpuid.ASIMD, "NEON"}} {
		if cpuid.CPU.Supports(x.id) {
			have = append(have, x.name)
		}
	}
	if len(have) == 0 {
		f.lacks(limited, "system", "vector instructions", "none that scanout has code for",
			"colour conversion on the CPU runs in plain Go", "")
		return
	}
	f.ok("system", "vector instructions", "%s", strings.Join(have, ", "))
}

func checkWindow(f *findings) {
	if err := probeWindow(); err != nil {
		f.lacks(missing, "display", "SDL2", err.Error(), "no window; offscreen and file outputs work", install("libsdl2-2.0-0", "SDL2", "sdl2"))
	} else {
		f.ok("display", "SDL2", "found")
	}
	if !player.HasDisplay() {
		f.lacks(missing, "display", "display", "neither WAYLAND_DISPLAY nor DISPLAY is set",
			"no window; scanout play renders offscreen", "run it in a desktop session, or: xvfb-run -a scanout play …")
		return
	}
	f.ok("display", "display", "%s", strings.TrimSpace(os.Getenv("WAYLAND_DISPLAY")+" "+os.Getenv("DISPLAY")))
	if os.Getenv("WAYLAND_DISPLAY") != "" {
		f.ok("display", "presentation times", "the compositor's own (presentation-time); estimated by frame callbacks where it does not answer")
	} else if runtime.GOOS == "linux" {
		f.lacks(limited, "display", "presentation times", "X11: Vulkan's present_wait where the driver has it, else estimated",
			"missed refreshes are not seen, only guessed", "a Wayland session")
	}
}

// install returns the command that installs a package here.
func install(debian, fedora, brew string) string {
	switch {
	case runtime.GOOS == "darwin":
		return "brew install " + brew
	case runtime.GOOS == "linux" && exists("/usr/bin/apt-get"):
		return "sudo apt-get install " + debian
	case runtime.GOOS == "linux" && exists("/usr/bin/dnf"):
		return "sudo dnf install " + fedora
	}
	return "install " + fedora
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
