//go:build !linux

package uring

import "syscall"

const errTime = Errno(syscall.ETIMEDOUT)
