// Package cgo calls labs through cgo, to compare with internal/dl. It is a module of its
// own because scanout itself is built without cgo.
//
//	cd internal/dl/_cgo && CGO_ENABLED=1 go test -bench .
package cgo

// #include <stdlib.h>
import "C"

// Labs is labs of the C library.
func Labs(n int64) int64 { return int64(C.labs(C.long(n))) }
