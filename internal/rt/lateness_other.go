//go:build !linux

package rt

const haveTimerfd = false

func (s *sleeper) openTimerfd() error { return nil }
func (s *sleeper) readTimerfd() error { return nil }
func (s *sleeper) closeTimerfd()      {}
