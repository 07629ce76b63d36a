package framepool

import (
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

const hugeBytes = 2 << 20

// mapping is the memory of a pool.
type mapping struct {
	data  []byte
	fd    int
	pages string // for Stats.HugePages
}

func newMapping(n int, mode HugeMode) (mapping, error) {
	why := ""
	if mode == HugeHugetlb {
		m, err := mapMemfd(roundUp(n, hugeBytes), unix.MFD_HUGETLB|unix.MFD_HUGE_2MB)
		if err == nil {
			m.pages = "hugetlb, 2 MiB"
			return m, nil
		}
		why = "; hugetlb: " + err.Error() + ", reserve pages with sysctl vm.nr_hugepages"
	}
	if mode >= HugeTHP {
		m, err := mapTHP(roundUp(n, hugeBytes))
		if err == nil {
			m.pages += why
			return m, nil
		}
		why = "; transparent: " + err.Error() + why
	}
	m, err := mapMemfd(n, 0)
	m.pages = "off" + why
	return m, err
}

func mapMemfd(n, flags int) (mapping, error) {
	fd, err := unix.MemfdCreate("scanout-frames", unix.MFD_CLOEXEC|flags)
	if err != nil {
		return mapping{}, os.NewSyscallError("memfd_create", err)
	}
	if err := unix.Ftruncate(fd, int64(n)); err != nil {
		unix.Close(fd)
		return mapping{}, os.NewSyscallError("ftruncate", err)
	}
	data, err := unix.Mmap(fd, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		unix.Close(fd)
		return mapping{}, os.NewSyscallError("mmap", err)
	}
	return mapping{data: data, fd: fd}, nil
}

// mapTHP maps memory that the kernel may back with huge pages: the memfd where shared
// memory may have them (shmem_enabled), else anonymous memory, which has no descriptor.
func mapTHP(n int) (mapping, error) {
	if chosen("/sys/kernel/mm/transparent_hugepage/shmem_enabled", "always", "within_size", "advise", "force") {
		m, err := mapMemfd(n, 0)
		if err == nil {
			if err = unix.Madvise(m.data, unix.MADV_HUGEPAGE); err == nil {
				m.pages = "transparent, memfd"
				return m, nil
			}
			m.unmap()
		}
	}
	if !chosen("/sys/kernel/mm/transparent_hugepage/enabled", "always", "madvise") {
		return mapping{}, errors.New("not enabled in /sys/kernel/mm/transparent_hugepage")
	}
	data, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return mapping{}, os.NewSyscallError("mmap", err)
	}
	m := mapping{data: data, fd: -1, pages: "transparent, anonymous"}
	if err := unix.Madvise(data, unix.MADV_HUGEPAGE); err != nil {
		m.unmap()
		return mapping{}, os.NewSyscallError("madvise", err)
	}
	return m, nil
}

// chosen reports whether the bracketed word of a sysfs choice is one of words.
func chosen(path string, words ...string) bool {
	b, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	for _, w := range words {
		if strings.Contains(string(b), "["+w+"]") {
			return true
		}
	}
	return false
}

func (m *mapping) prefault() error {
	err := unix.Madvise(m.data, unix.MADV_POPULATE_WRITE)
	if errors.Is(err, unix.EINVAL) { // before Linux 5.14
		touch(m.data)
		return nil
	}
	return os.NewSyscallError("madvise", err)
}

func (m *mapping) unmap() {
	// Neither can fail for a mapping and a descriptor that are ours.
	_ = unix.Munmap(m.data)
	if m.fd >= 0 {
		_ = unix.Close(m.fd)
	}
}
