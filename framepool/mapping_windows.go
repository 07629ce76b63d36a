package framepool

import (
	"os"
	"unsafe"

	"golang.org/x/sys/windows"
)

// mapping is the memory of a pool.
type mapping struct {
	data  []byte
	fd    int
	pages string // for Stats.HugePages
}

func newMapping(n int, mode HugeMode) (mapping, error) {
	addr, err := windows.VirtualAlloc(0, uintptr(n), windows.MEM_RESERVE|windows.MEM_COMMIT, windows.PAGE_READWRITE)
	if err != nil {
		return mapping{}, os.NewSyscallError("VirtualAlloc", err)
	}
	// The address is not the Go heap's, so it never moves: read it as a pointer.
	data := unsafe.Slice(*(**byte)(unsafe.Pointer(&addr)), n)
	return mapping{data: data, fd: -1, pages: noHuge(mode)}, nil
}

func (m *mapping) prefault() error {
	touch(m.data)
	return nil
}

func (m *mapping) unmap() {
	_ = windows.VirtualFree(uintptr(unsafe.Pointer(unsafe.SliceData(m.data))), 0, windows.MEM_RELEASE)
}
