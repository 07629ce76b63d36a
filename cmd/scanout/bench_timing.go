package main

import "time"

// perCall runs f for about d and returns ns a call.
func perCall(f func(), d time.Duration) float64 {
	n := 1
	for {
		t0 := time.Now()
		for range n {
			f()
		}
		took := time.Since(t0)
		if took >= d*7/10 || n >= 1<<30 {
			return float64(took) / float64(n)
		}
		n = int(float64(n)*min(float64(d)/float64(max(took, time.Microsecond)), 100)*1.05) + 1
	}
}
