//go:build !linux && !darwin

package raw

import "io"

// takeOver leaves r as it is: standard input can't be interrupted here.
func takeOver(r io.Reader) (io.Reader, func() error, error) { return r, nil, nil }
