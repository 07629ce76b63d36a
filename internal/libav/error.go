package libav

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/scanout-av/scanout/internal/dl"
	"github.com/scanout-av/scanout/media"
)

// Error is a negative result of an FFmpeg function.
type Error int32

// Results with a meaning of their own. Source: libavutil/error.h.
const (
	ErrEOF             Error = -('E' | 'O'<<8 | 'F'<<16 | ' '<<24)
	ErrExit            Error = -('E' | 'X'<<8 | 'I'<<16 | 'T'<<24)
	ErrInvalidData     Error = -('I' | 'N'<<8 | 'D'<<16 | 'A'<<24)
	ErrDecoderNotFound Error = -(0xF8 | 'D'<<8 | 'E'<<16 | 'C'<<24)
	ErrDemuxerNotFound Error = -(0xF8 | 'D'<<8 | 'E'<<16 | 'M'<<24)
	ErrProtocol        Error = -(0xF8 | 'P'<<8 | 'R'<<16 | 'O'<<24)
	ErrOptionNotFound  Error = -(0xF8 | 'O'<<8 | 'P'<<16 | 'T'<<24)
	ErrPatchwelcome    Error = -('P' | 'A'<<8 | 'W'<<16 | 'E'<<24)
	ErrAgain           Error = -eagain
	ErrNoMemory        Error = -12
	ErrInvalidArgument Error = -22
	ErrBadRequest      Error = -(0xF8 | '4'<<8 | '0'<<16 | '0'<<24)
	ErrUnauthorized    Error = -(0xF8 | '4'<<8 | '0'<<16 | '1'<<24)
	ErrForbidden       Error = -(0xF8 | '4'<<8 | '0'<<16 | '3'<<24)
	ErrNotFound        Error = -(0xF8 | '4'<<8 | '0'<<16 | '4'<<24)
	ErrServer          Error = -(0xF8 | '5'<<8 | 'X'<<16 | 'X'<<24)
	ErrStreamNotFound  Error = -(0xF8 | 'S'<<8 | 'T'<<16 | 'R'<<24)
	errNoEntry         Error = -2
	errAccess          Error = -13
	errPerm            Error = -1
)

// Error returns FFmpeg's own text.
func (e Error) Error() string {
	l, err := Open()
	if err != nil {
		return fmt.Sprintf("FFmpeg error %d", int32(e))
	}
	b := make([]byte, 128)
	dl.Call(l.fn.strerror, uintptr(int(e)), dl.Addr(&b[0]), uintptr(len(b)))
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}

// Is lets errors.Is find the Go error of the same meaning.
func (e Error) Is(target error) bool {
	switch e {
	case ErrEOF:
		return target == io.EOF
	case ErrExit:
		return target == os.ErrClosed
	case ErrAgain:
		return target == media.ErrAgain
	case errNoEntry:
		return target == fs.ErrNotExist
	case errAccess, errPerm:
		return target == fs.ErrPermission
	case ErrDecoderNotFound, ErrDemuxerNotFound, ErrProtocol, ErrPatchwelcome:
		return target == media.ErrNotSupported
	}
	n, ok := target.(syscall.Errno)
	return ok && n != 0 && e == Error(-int(n))
}

// check turns a C int result into an error. The sentinels of flow control are returned
// as themselves, because an Error in an interface is an allocation.
func check(r uintptr) error {
	e := Error(int32(r))
	switch {
	case e >= 0:
		return nil
	case e == ErrAgain:
		return media.ErrAgain
	case e == ErrEOF:
		return io.EOF
	}
	return e
}
