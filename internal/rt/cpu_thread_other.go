//go:build !linux

package rt

import "time"

// ThreadCPU returns the processor time that the calling thread has used so far; 0 where
// the system does not say.
func ThreadCPU() time.Duration { return 0 }
