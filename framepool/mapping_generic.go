//go:build !unix && !windows

package framepool

import "unsafe"

// mapping is the memory of a pool: the Go heap's, on a system that has nothing else.
type mapping struct {
	data  []byte
	fd    int
	pages string // for Stats.HugePages
}

func newMapping(n int, mode HugeMode) (mapping, error) {
	b := make([]byte, n+PageBytes)
	skip := -uintptr(unsafe.Pointer(unsafe.SliceData(b))) % PageBytes
	return mapping{data: b[skip : skip+uintptr(n)], fd: -1, pages: noHuge(mode)}, nil
}

func (m *mapping) prefault() error {
	touch(m.data)
	return nil
}

func (m *mapping) unmap() {}
