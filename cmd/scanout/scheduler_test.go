package main

import "testing"

func TestParseCyclictest(t *testing.T) {
	h := parseCyclictest(`# /dev/cpu_dma_latency set to 0us
# Histogram
000040 000010
000050	000080
000090	000009
# Min Latencies: 00040
# Avg Latencies: 00052
# Max Latencies: 07000
# Histogram Overflows: 00001
# Histogram Overflow at cycle number:
# Thread 0: 00007
`)
	if h.count() != 99 || h.over != 1 || h.max != 7000 {
		t.Fatalf("%d samples, %d over, maximum %d", h.count(), h.over, h.max)
	}
	for q, want := range map[float64]int{0: 40, 0.05: 40, 0.5: 50, 0.95: 90, 0.99: 7000, 1: 7000} {
		if got := h.at(q); got != want {
			t.Errorf("quantile %v is %d, want %d", q, got, want)
		}
	}
	if m := h.mean(); m < 52.6 || m > 52.7 {
		t.Errorf("mean %v", m)
	}
	h.join(h)
	if h.count() != 198 || h.over != 2 || h.max != 7000 || h.at(0.5) != 50 {
		t.Errorf("joined: %d samples, %d over", h.count(), h.over)
	}
	for _, s := range []string{"", "nonsense", "# Max Latencies:", "-5 3\n7 x\n"} {
		if h := parseCyclictest(s); h.count() != 0 || h.at(0.99) != 0 || h.mean() != 0 {
			t.Errorf("%q: %+v", s, h)
		}
	}
}
