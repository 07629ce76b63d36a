// Package dl opens shared libraries at run time and calls them without cgo and, on the
// hot path, without allocating.
//
// Two ways to call:
//
//   - [Caller.Call] keeps its argument block and is for one goroutine at a time: nothing
//     is allocated, and the caller sees to it that addresses stay valid ([Addr]). Render
//     and decode loops use it.
//   - [Call] is safe from any goroutine and keeps its arguments alive, for one
//     allocation: set-up code uses it.
//
// Both pass integers and pointers only; functions with float parameters go through
// [Bind]. Callbacks ([NewCallback]) are never freed, so they are made once per process
// and find their object through a handle.
//
// On linux and darwin amd64 the call goes through a small assembly trampoline that
// stores the arguments by the System V calling convention and switches to the system
// stack with runtime.cgocall, as purego does; the build tag scanout_purego selects
// purego's own SyscallN there, which is what other systems use.
package dl
