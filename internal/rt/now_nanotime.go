//go:build !windows

package rt

func now() int64 { return nanotime() }
