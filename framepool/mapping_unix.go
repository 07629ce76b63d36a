//go:build unix && !linux

package framepool

import (
	"os"

	"golang.org/x/sys/unix"
)

// mapping is the memory of a pool.
type mapping struct {
	data  []byte
	fd    int
	pages string // for Stats.HugePages
}

func newMapping(n int, mode HugeMode) (mapping, error) {
	data, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return mapping{}, os.NewSyscallError("mmap", err)
	}
	return mapping{data: data, fd: -1, pages: noHuge(mode)}, nil
}

func (m *mapping) prefault() error {
	touch(m.data)
	return nil
}

func (m *mapping) unmap() { _ = unix.Munmap(m.data) }
