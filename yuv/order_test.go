//go:build amd64 && !purego

package yuv

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"testing"

	"github.com/scanout-av/scanout/internal/dl"
	"github.com/scanout-av/scanout/internal/rt"
)

// TestOrders measures what nearBytes and farBytes decide, in interleaved rounds: two rows in
// turn or one, asking for the destination ahead or not. Ratios are to the first, medians.
func TestOrders(t *testing.T) {
	if os.Getenv("SCANOUT_BENCH_YUV") == "" {
		t.Skip("needs SCANOUT_BENCH_YUV=1")
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	type frame struct {
		p   Picture
		dst []byte
	}
	for _, s := range []struct{ w, h, frames, rounds int }{{640, 148, 1, 101}, {1280, 720, 1, 31}, {1920, 1080, 1, 31}, {3840, 2160, 8, 9}} {
		frames := make([]frame, s.frames)
		for i := range frames {
			p, _, err := I420.NewPicture(nil, s.w, s.h)
			if err != nil {
				t.Fatal(err)
			}
			d := make([]byte, s.w*s.h*4+63)
			frames[i] = frame{p, d[-dl.Addr(&d[0])&63:][:s.w*s.h*4]}
			for k := range frames[i].dst {
				frames[i].dst[k] = 1
			}
		}
		for _, v := range Variants() {
			if v == Generic {
				continue
			}
			c, err := New(Config{Variant: v})
			if err != nil {
				t.Fatal(err)
			}
			type order struct {
				name string
				c    Converter
			}
			set := func(name string, near, far int, row func(s step) step) order {
				o := order{name, *c}
				o.c.near, o.c.far = near, far
				o.c.steps = nil
				for _, s := range c.steps {
					o.c.steps = append(o.c.steps, row(s))
				}
				return o
			}
			same := func(s step) step { return s }
			orders := []order{
				set("2 rows, ahead", 0, math.MaxInt, same),
				set("2 rows", math.MaxInt, math.MaxInt, same),
				set("1 row, ahead", 0, 0, func(s step) step {
					if s.rowAlone {
						s.row, _, _, _ = kernels(v, kindPlanar422)
					}
					return s
				}),
				set("1 row", 0, 0, same),
			}
			if !orders[3].c.steps[0].rowAlone {
				orders = orders[:2]
			}
			ns := make([][]float64, len(orders))
			reps := max(1, 1<<20/(s.w*s.h)) * s.frames
			for range s.rounds {
				for i := range orders {
					run := func(n int) {
						for k := range n {
							f := &frames[k%s.frames]
							if err := orders[i].c.Convert(f.dst, s.w*4, &f.p, 0, s.h); err != nil {
								t.Fatal(err)
							}
						}
					}
					run(reps/2 + 1)
					start := rt.ThreadCPU()
					run(reps)
					ns[i] = append(ns[i], float64(rt.ThreadCPU()-start)/float64(reps))
				}
			}
			line := fmt.Sprintf("%dx%d %v:", s.w, s.h, v)
			for i, o := range orders {
				r := make([]float64, s.rounds)
				for k := range r {
					r[k] = ns[0][k] / ns[i][k]
				}
				slices.Sort(r)
				line += fmt.Sprintf("  %s %.2f", o.name, r[s.rounds/2])
			}
			t.Log(line)
		}
	}
}
