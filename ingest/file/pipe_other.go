//go:build !unix

package file

// openPipe leaves the opening to FFmpeg.
func (s *Source) openPipe(string) (string, error) { return "", nil }
