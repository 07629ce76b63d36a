//go:build never

package main

// avo needs a newer golang.org/x/tools than it asks for: without this its own choice
// panics when it loads packages of Go 1.26.
import _ "golang.org/x/tools/go/packages"
