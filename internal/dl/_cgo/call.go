package cgo

// #include <stdlib.h>
import "C"

// Labs is labs of the C library.
func Labs(n int64) int64 { return int64(C.labs(C.long(n))) }
