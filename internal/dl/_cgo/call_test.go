//go:build cgo

package cgo

import "testing"

func TestLabs(t *testing.T) {
	if Labs(-7) != 7 {
		t.Fail()
	}
}

func BenchmarkLabs(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Labs(1)
	}
}
