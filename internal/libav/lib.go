package libav

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"unsafe"

	"github.com/scanout-av/scanout/internal/dl"
	"github.com/scanout-av/scanout/media"
)

// none marks a field that a version of FFmpeg does not have.
const none = ^uintptr(0)

// FolderVariable names the environment variable with a folder to load FFmpeg from
// instead of the system's own; for builds that are not installed.
const FolderVariable = "SCANOUT_FFMPEG"

// NoTimestamp is FFmpeg's AV_NOPTS_VALUE, the same value as media.NoTimestamp.
const NoTimestamp = int64(media.NoTimestamp)

// Lib is FFmpeg, loaded.
// Concurrency: any goroutine.
type Lib struct {
	Major   int    // of libavcodec: 59 is FFmpeg 5.1, 60 is 6, 61 is 7, 62 is 8, 63 is 9
	Version string // FFmpeg's own version text
	Scale   bool   // libswscale is there

	o  *offsets
	fn symbols
}

// versions lists the major versions of libavcodec, avutil, avformat, swresample and
// swscale that belong together, newest first.
var versions = [...]struct{ codec, util, format, resample, scale int }{
	{63, 61, 63, 7, 10},
	{62, 60, 62, 6, 9},
	{61, 59, 61, 5, 8},
	{60, 58, 60, 4, 7},
	{59, 57, 59, 4, 6},
}

// Open loads FFmpeg once for the process and checks that this package fits it.
// Errors: media.ErrNotSupported with what to install.
func Open() (*Lib, error) { return openOnce() }

var openOnce = sync.OnceValues(func() (*Lib, error) { return load(os.Getenv(FolderVariable)) })

func load(folder string) (*Lib, error) {
	if unsafe.Sizeof(uintptr(0)) != 8 {
		return nil, fmt.Errorf("libav: FFmpeg on a 32-bit machine: %w", media.ErrNotSupported)
	}
	var why error
	for _, v := range versions {
		l, err := loadVersion(folder, v.codec, v.util, v.format, v.resample, v.scale)
		if err == nil {
			return l, nil
		}
		if why == nil {
			why = err
		}
	}
	if why == errAbsent {
		return nil, fmt.Errorf("libav: FFmpeg 5.1 to 9 (libavcodec 59 to 63) is not installed; %s: %w", install(), media.ErrNotSupported)
	}
	return nil, fmt.Errorf("libav: FFmpeg cannot be used: %w; %s: %w", why, install(), media.ErrNotSupported)
}

func install() string {
	switch runtime.GOOS {
	case "darwin":
		return "install it with: brew install ffmpeg"
	case "windows":
		return "put the DLLs of a shared FFmpeg build on PATH"
	}
	return "install it with: apt-get install ffmpeg (Fedora: dnf install ffmpeg-libs, Arch: pacman -S ffmpeg)"
}

var errAbsent = fmt.Errorf("libav: no library of this version")

func loadVersion(folder string, codec, util, format, resample, scale int) (*Lib, error) {
	avutil, err := dl.Open(names(folder, "avutil", util)...)
	if err != nil {
		return nil, errAbsent
	}
	avcodec, err := dl.Open(names(folder, "avcodec", codec)...)
	if err != nil {
		return nil, errAbsent
	}
	avformat, err := dl.Open(names(folder, "avformat", format)...)
	if err != nil {
		return nil, fmt.Errorf("libavcodec %d is here, but libavformat %d is not", codec, format)
	}
	swresample, err := dl.Open(names(folder, "swresample", resample)...)
	if err != nil {
		return nil, fmt.Errorf("libavcodec %d is here, but libswresample %d is not", codec, resample)
	}
	l := &Lib{Major: codec, o: offsetTables[codec]}
	for lib, syms := range map[*dl.Library]map[string]*uintptr{
		avutil: l.fn.avutil(), avcodec: l.fn.avcodec(), avformat: l.fn.avformat(), swresample: l.fn.swresample(),
	} {
		if err := lib.Resolve(syms); err != nil {
			return nil, fmt.Errorf("libavcodec %d is too old or was built without what is needed: %w", codec, err)
		}
	}
	// Either is there, by version; the display matrix is found through whichever is.
	l.fn.packetSideDataGet, _ = avcodec.Symbol("av_packet_side_data_get")
	l.fn.streamGetSideData, _ = avformat.Symbol("av_stream_get_side_data")
	if swscale, err := dl.Open(names(folder, "swscale", scale)...); err == nil {
		l.Scale = swscale.Resolve(l.fn.swscale()) == nil
	}
	l.Version = dl.GoString(dl.Call(l.fn.versionInfo))
	const quiet = -8
	dl.Call(l.fn.logSetLevel, ^uintptr(-quiet-1))
	if err := l.selfCheck(); err != nil {
		return nil, err
	}
	return l, nil
}

func names(folder, lib string, major int) []string {
	var n string
	var folders []string
	switch runtime.GOOS {
	case "darwin":
		n = fmt.Sprintf("lib%s.%d.dylib", lib, major)
		folders = []string{"/opt/homebrew/lib", "/usr/local/lib"}
	case "windows":
		n = fmt.Sprintf("%s-%d.dll", lib, major)
	default:
		n = fmt.Sprintf("lib%s.so.%d", lib, major)
	}
	if folder != "" {
		return []string{filepath.Join(folder, n)}
	}
	s := []string{n}
	for _, f := range folders {
		s = append(s, filepath.Join(f, n))
	}
	return s
}

// selfCheck proves the offset table on a fresh codec context: get_buffer2 must hold the
// default allocator, and a thread count set by name must read back by offset.
func (l *Lib) selfCheck() error {
	if v := int(dl.Call(l.fn.codecVersion)) >> 16; v != l.Major {
		return fmt.Errorf("libavcodec %d says that it is version %d", l.Major, v)
	}
	c := l.NewCalls()
	ctx := c.NewCodecContext(0)
	if ctx == 0 {
		return ErrNoMemory
	}
	defer c.FreeCodecContext(ctx)
	if dl.Load[uintptr](uintptr(ctx), l.o.codecContextGetBuffer2) != l.fn.defaultGetBuffer2 {
		return fmt.Errorf("libavcodec %d (%s) lays out AVCodecContext differently", l.Major, l.Version)
	}
	const threads = 13
	if err := l.SetInt(uintptr(ctx), "threads", threads); err != nil {
		return fmt.Errorf("libavcodec %d (%s): option threads: %w", l.Major, l.Version, err)
	}
	if got := dl.Load[int32](uintptr(ctx), l.o.codecContextThreadCount); got != threads {
		return fmt.Errorf("libavcodec %d (%s): thread_count reads %d, not %d", l.Major, l.Version, got, threads)
	}
	return nil
}
