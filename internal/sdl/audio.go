package sdl

import (
	"fmt"
	"runtime"
	"sync"
	"unsafe"

	"github.com/scanout-av/scanout/internal/dl"
	"github.com/scanout-av/scanout/media"
)

// AudioConfig says what audio device to open. The device plays float32.
type AudioConfig struct {
	Rate     int // Hz
	Channels int
	// Samples is the length of a device period in samples per channel; SDL may change it.
	Samples int
}

// AudioDevice is an audio output that plays what is queued. It starts paused.
// Concurrency: any goroutine.
type AudioDevice struct {
	s  *Library
	mu sync.Mutex // guards c and dev
	c  dl.Caller

	dev      uint32
	rate     int
	channels int
	samples  int
}

// audioSpec is an SDL_AudioSpec.
type audioSpec struct {
	freq     int32
	format   uint16
	channels uint8
	silence  uint8
	samples  uint16
	_        uint16
	size     uint32
	callback uintptr
	userdata uintptr
}

const audioF32LSB = 0x8120

// OpenAudio opens the default audio device at exactly the rate and channel count asked
// for; SDL converts when the hardware differs.
// Errors: media.ErrNotSupported when there is no device.
func (s *Library) OpenAudio(cfg AudioConfig) (*AudioDevice, error) {
	if cfg.Rate <= 0 || cfg.Channels < 1 || cfg.Channels > 8 || cfg.Samples < 1 || cfg.Samples > 1<<15 {
		return nil, fmt.Errorf("sdl: %d Hz, %d channels, period %d is not possible: use 1 to 8 channels and a period of 1 to 32768", cfg.Rate, cfg.Channels, cfg.Samples)
	}
	// SDL's error text belongs to the thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	quietALSA()
	const advice = "no audio device: start PulseAudio or PipeWire, or use --audio null"
	if int32(dl.Call(s.fn.initSubSystem, initAudio)) != 0 {
		return nil, fmt.Errorf("sdl: open audio: %s: %w: %s", s.reason(), media.ErrNotSupported, advice)
	}
	want := &audioSpec{freq: int32(cfg.Rate), format: audioF32LSB, channels: uint8(cfg.Channels), samples: uint16(cfg.Samples)}
	have := new(audioSpec)
	const allowSamplesChange = 8
	dev := uint32(dl.Call(s.fn.openAudioDevice, 0, 0, uintptr(unsafe.Pointer(want)), uintptr(unsafe.Pointer(have)), allowSamplesChange))
	if dev == 0 {
		err := fmt.Errorf("sdl: open an audio device: %s: %w: %s", s.reason(), media.ErrNotSupported, advice)
		dl.Call(s.fn.quitSubSystem, initAudio)
		return nil, err
	}
	return &AudioDevice{s: s, dev: dev, rate: int(have.freq), channels: int(have.channels), samples: int(have.samples)}, nil
}

// Driver returns SDL's name of the audio system: "pulseaudio", "alsa", "dummy"….
func (d *AudioDevice) Driver() string { return dl.GoString(dl.Call(d.s.fn.getCurrentAudioDriver)) }

// Period returns the length of a device period, in samples per channel.
func (d *AudioDevice) Period() int { return d.samples }

// Queue appends interleaved samples; SDL copies them.
// Errors: media.ErrDeviceLost after Close or when SDL has no memory.
func (d *AudioDevice) Queue(samples []float32) error {
	if len(samples) == 0 {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dev == 0 || int32(d.c.Call(d.s.fn.queueAudio, uintptr(d.dev), dl.Addr(&samples[0]), uintptr(len(samples)*4))) != 0 {
		return fmt.Errorf("sdl: queue audio: %w", media.ErrDeviceLost)
	}
	return nil
}

// Queued returns how much is queued and not yet taken by the device.
// Units: samples per channel.
func (d *AudioDevice) Queued() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dev == 0 {
		return 0
	}
	return int(uint32(d.c.Call(d.s.fn.getQueuedAudioSize, uintptr(d.dev)))) / (4 * d.channels)
}

// Clear drops what is queued; the period that the device has taken still sounds.
func (d *AudioDevice) Clear() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dev != 0 {
		d.c.Call(d.s.fn.clearQueuedAudio, uintptr(d.dev))
	}
}

// Pause stops the device from taking samples, or lets it go on.
func (d *AudioDevice) Pause(paused bool) {
	var v uintptr
	if paused {
		v = 1
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dev != 0 {
		d.c.Call(d.s.fn.pauseAudioDevice, uintptr(d.dev), v)
	}
}

// Lost reports whether the device went away.
func (d *AudioDevice) Lost() bool {
	const stopped = 0 // SDL_AUDIO_STOPPED
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.dev == 0 || uint32(d.c.Call(d.s.fn.getAudioDeviceStatus, uintptr(d.dev))) == stopped
}

// Close closes the device. Closing twice does nothing.
func (d *AudioDevice) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dev == 0 {
		return nil
	}
	dl.Call(d.s.fn.closeAudioDevice, uintptr(d.dev))
	d.dev = 0
	dl.Call(d.s.fn.quitSubSystem, initAudio)
	return nil
}
