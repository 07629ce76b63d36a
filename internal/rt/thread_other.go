//go:build !linux

package rt

type threadState struct{}

func (t *Thread) setUp(cfg ThreadConfig) {
	if cfg.Priority > 0 {
		t.notes = append(t.notes, "ordinary priority: real-time priority is for Linux only, for now")
	}
	if len(cfg.CPUs) > 0 {
		t.notes = append(t.notes, "not bound to CPUs: for Linux only, for now")
	}
}

func (t *Thread) restore() {}

func exactTimers() {}
