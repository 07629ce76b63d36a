package udp

import (
	"os"

	"golang.org/x/sys/unix"
)

func mapMemory(n int) ([]byte, func([]byte), error) {
	b, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, nil, os.NewSyscallError("mmap", err)
	}
	return b, func(b []byte) { _ = unix.Munmap(b) }, nil
}
