//go:build !unix

package ffmpeg

func cpuTime() int64 { return 0 }
