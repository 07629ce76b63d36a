package main

// voluntarySwitches is how often a thread of this process has gone to sleep; Windows does
// not say.
func voluntarySwitches() int64 { return 0 }
