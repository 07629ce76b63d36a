package rt

import "time"

// CPU is processor time.
type CPU struct{ User, System time.Duration }

// Total is both together.
func (c CPU) Total() time.Duration { return c.User + c.System }
