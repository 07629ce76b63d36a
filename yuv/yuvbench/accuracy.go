package yuvbench

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/scanout-av/scanout/yuv"
)

// Accuracy is how far one converter is from float64 over all 2²⁴ inputs of 8 bits.
type Accuracy struct {
	Name   string
	Matrix yuv.Matrix
	Range  yuv.Range
	Max    float64 // levels of 255, from the exact value
	Mean   float64
	Off    float64 // share of R, G and B values that are not the rounded exact one
	Levels int     // the largest distance from that
}

// exact is the conversion in float64.
// Source: ITU-T H.273 equations 28–33 and 38–40, or 34–36 for full range.
type exact struct{ y, r, b, gu, gv, black float64 }

func newExact(m yuv.Matrix, r yuv.Range) exact {
	kr, kb := 0.2126, 0.0722
	switch m {
	case yuv.BT601:
		kr, kb = 0.299, 0.114
	case yuv.BT2020:
		kr, kb = 0.2627, 0.0593
	}
	sy, sc, black := 255.0/219, 255.0/224, 16.0
	if r == yuv.Full {
		sy, sc, black = 1, 1, 0
	}
	kg := 1 - kr - kb
	return exact{sy, 2 * (1 - kr) * sc, 2 * (1 - kb) * sc, -2 * (1 - kb) * kb / kg * sc, -2 * (1 - kr) * kr / kg * sc, black}
}

// MeasureAccuracy compares package yuv and, where they are installed, libyuv and
// swscale, for every matrix and range, in 4:2:0. It takes some seconds for each.
func MeasureAccuracy(ctx context.Context, cfg Config) (list []Accuracy, missing []string, err error) {
	var lib *libyuv
	var sws *swscale
	if !cfg.NoPeers {
		var err error
		if lib, err = openLibyuv(); err != nil {
			lib, missing = nil, append(missing, "libyuv (apt install libyuv0): "+err.Error())
		}
		if sws, err = openSwscale(); err != nil {
			sws, missing = nil, append(missing, "swscale (apt install libswscale6): "+err.Error())
		}
	}
	// One U at a time: 64 blocks of four Y across, all V downwards.
	f, err := newFrame(accuracyW, accuracyH)
	if err != nil {
		return nil, missing, err
	}
	for y := range accuracyH {
		for x := range accuracyW {
			f.p.Planes[0][y*accuracyW+x] = byte(x/2*4 + y&1*2 + x&1)
		}
		for x := range accuracyW / 2 {
			f.p.Planes[2][y/2*accuracyW/2+x] = byte(y / 2)
		}
	}
	for _, m := range []yuv.Matrix{yuv.BT601, yuv.BT709, yuv.BT2020} {
		for _, r := range []yuv.Range{yuv.Limited, yuv.Full} {
			c, err := yuv.New(yuv.Config{Matrix: m, Range: r})
			if err != nil {
				return list, missing, err
			}
			add := func(name string, blueFirst bool, run func(f *frame) error) error {
				a, err := accuracy(ctx, f, m, r, blueFirst, run)
				a.Name = name
				list = append(list, a)
				return err
			}
			if err := add("yuv", false, func(f *frame) error { return c.Convert(f.dst, accuracyW*4, &f.p, 0, accuracyH) }); err != nil {
				return list, missing, err
			}
			if lib != nil {
				run, err := lib.converter(m, r)
				if err != nil {
					missing = append(missing, "libyuv: "+err.Error())
				} else if err := add("libyuv", true, run); err != nil {
					return list, missing, err
				}
			}
			if sws != nil {
				run, done, err := sws.converter(m, r, accuracyW, accuracyH)
				if err != nil {
					return list, missing, err
				}
				err = add("swscale", false, run)
				done()
				if err != nil {
					return list, missing, err
				}
			}
		}
	}
	return list, missing, nil
}

const accuracyW, accuracyH = 128, 512

func accuracy(ctx context.Context, f *frame, m yuv.Matrix, r yuv.Range, blueFirst bool, run func(f *frame) error) (Accuracy, error) {
	a := Accuracy{Matrix: m, Range: r}
	e := newExact(m, r)
	red, blue := 0, 2
	if blueFirst {
		red, blue = 2, 0
	}
	off := 0
	see := func(got byte, want float64) {
		want = min(max(want, 0), 255)
		d := math.Abs(float64(got) - want)
		a.Max = max(a.Max, d)
		a.Mean += d
		if l := int(math.Abs(float64(got) - math.Floor(want+0.5))); l > 0 {
			off++
			a.Levels = max(a.Levels, l)
		}
	}
	for u := range 256 {
		if err := ctx.Err(); err != nil {
			return a, err
		}
		for i := range f.p.Planes[1] {
			f.p.Planes[1][i] = byte(u)
		}
		if err := run(f); err != nil {
			return a, fmt.Errorf("yuvbench: accuracy: %w", err)
		}
		for i := range accuracyW * accuracyH {
			l := e.y * (float64(f.p.Planes[0][i]) - e.black)
			cu, cv := float64(u-128), float64(i/accuracyW/2-128)
			p := f.dst[4*i : 4*i+4]
			see(p[red], l+e.r*cv)
			see(p[1], l+e.gu*cu+e.gv*cv)
			see(p[blue], l+e.b*cu)
		}
	}
	n := float64(3 << 24)
	a.Mean /= n
	a.Off = float64(off) / n
	return a, nil
}

// AccuracyTable prints the list.
func AccuracyTable(list []Accuracy) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-8s %-8s %-10s %10s %10s %12s %8s\n", "matrix", "range", "", "max error", "mean", "not rounded", "levels")
	for _, a := range list {
		fmt.Fprintf(&b, "%-8v %-8v %-10s %10.3f %10.4f %11.2f%% %8d\n", a.Matrix, a.Range, a.Name, a.Max, a.Mean, 100*a.Off, a.Levels)
	}
	return b.String()
}
