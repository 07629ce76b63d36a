// Package cgo calls labs through cgo, to compare with internal/dl. It is a module of its
// own because scanout itself is built without cgo.
//
//	cd internal/dl/_cgo && CGO_ENABLED=1 go test -bench .
package cgo
