package main

import (
	"fmt"

	"github.com/scanout-av/scanout/internal/dl"
)

// gpuLoad is how busy a GPU is and how fast it runs, as its driver says.
type gpuLoad struct {
	GPU, Decoder uint32 // percent of the driver's last sampling period
	SM, Video    uint32 // clocks, MHz
}

// gpuMeter asks NVIDIA's management library, where there is one.
type gpuMeter struct {
	dev                          uintptr
	clock, utilization, decoding uintptr
	c                            dl.Caller
	m                            *gpuMeterMemory
}

// gpuMeterMemory is what the library writes to; on the heap, where it does not move.
type gpuMeterMemory struct {
	dev    uintptr
	value  uint32
	period uint32
	rates  [2]uint32 // nvmlUtilization_t: gpu, memory
}

// Source: nvml.h, nvmlClockType_t.
const nvmlClockSM, nvmlClockVideo = 1, 3

// openGPUMeter returns nil where the library does not answer. It measures the first GPU.
func openGPUMeter() *gpuMeter {
	lib, err := dl.Open("libnvidia-ml.so.1")
	if err != nil {
		return nil
	}
	g := &gpuMeter{m: new(gpuMeterMemory)}
	var initialize, handle uintptr
	if lib.Resolve(map[string]*uintptr{"nvmlInit_v2": &initialize, "nvmlDeviceGetHandleByIndex_v2": &handle,
		"nvmlDeviceGetClockInfo": &g.clock, "nvmlDeviceGetUtilizationRates": &g.utilization, "nvmlDeviceGetDecoderUtilization": &g.decoding}) != nil {
		return nil
	}
	if int32(g.c.Call(initialize)) != 0 || int32(g.c.Call(handle, 0, dl.Addr(&g.m.dev))) != 0 {
		return nil
	}
	g.dev = g.m.dev
	return g
}

// read asks for the load; false where the driver does not say.
func (g *gpuMeter) read() (l gpuLoad, ok bool) {
	if g == nil {
		return l, false
	}
	m := g.m
	clock := func(kind uintptr) uint32 {
		if int32(g.c.Call(g.clock, g.dev, kind, dl.Addr(&m.value))) != 0 {
			return 0
		}
		return m.value
	}
	l.SM, l.Video = clock(nvmlClockSM), clock(nvmlClockVideo)
	if int32(g.c.Call(g.utilization, g.dev, dl.Addr(&m.rates[0]))) == 0 {
		l.GPU, ok = m.rates[0], true
	}
	if int32(g.c.Call(g.decoding, g.dev, dl.Addr(&m.value), dl.Addr(&m.period))) == 0 {
		l.Decoder, ok = m.value, true
	}
	return l, ok || l.SM != 0
}

// String is for a cell of a table: "3 %, decoder 24 %, 1980/1545 MHz".
func (l gpuLoad) String() string {
	return fmt.Sprintf("%d %%, decoder %d %%, %d/%d MHz", l.GPU, l.Decoder, l.SM, l.Video)
}

// load is the cell, "–" without a meter.
func (g *gpuMeter) load() string {
	if l, ok := g.read(); ok {
		return l.String()
	}
	return "–"
}
