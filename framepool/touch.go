package framepool

// touch writes to every page; the pool is new, so the zero changes nothing.
func touch(b []byte) {
	for i := 0; i < len(b); i += PageBytes {
		b[i] = 0
	}
}

// noHuge is Stats.HugePages on a system without huge pages for us.
func noHuge(mode HugeMode) string {
	if mode == HugeOff {
		return "off"
	}
	return "off; huge pages: Linux only"
}
