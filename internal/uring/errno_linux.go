package uring

import "syscall"

// errTime is what a wait gives at its timeout.
const errTime = Errno(syscall.ETIME)
