//go:build !linux

package framepool

// noHuge is Stats.HugePages on a system without huge pages for us.
func noHuge(mode HugeMode) string {
	if mode == HugeOff {
		return "off"
	}
	return "off; huge pages: Linux only"
}
