package rt

import (
	"reflect"
	"runtime"
	"sync"
)

// Warm has the Go runtime make what it otherwise makes while the program runs: n threads,
// which allocate and take tens of microseconds to start, and the records of goroutines
// that wait for a channel, which each processor keeps up to 128 of before it shares them.
// Concurrency: the goroutines that it starts have ended when it returns.
func Warm(n int) {
	var waiting, ended sync.WaitGroup
	release := make(chan struct{})
	start := func(f func()) {
		waiting.Add(1)
		ended.Add(1)
		go func() {
			defer ended.Done()
			f()
		}()
	}
	for range n {
		start(func() {
			runtime.LockOSThread() // a goroutine that waits keeps its thread
			waiting.Done()
			<-release
			runtime.UnlockOSThread()
		})
	}
	// A select takes a record for each of its cases.
	cases := make([]reflect.SelectCase, min(128*(runtime.GOMAXPROCS(0)+1), 8192))
	for i := range cases {
		cases[i] = reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(release)}
	}
	start(func() {
		waiting.Done()
		reflect.Select(cases)
	})
	waiting.Wait()
	close(release)
	ended.Wait()
}
