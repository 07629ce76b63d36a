package rt

import "time"

// ThreadUse is what a thread of this process has used.
type ThreadUse struct {
	CPU time.Duration
	// Own says that the thread bears the process's name, as those of Go's runtime do;
	// drivers name theirs.
	Own bool
}
