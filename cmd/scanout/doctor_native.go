package main

import (
	"fmt"
	"strings"

	"github.com/scanout-av/scanout/audio"
	"github.com/scanout-av/scanout/internal/gpu"
	"github.com/scanout-av/scanout/internal/libav"
	"github.com/scanout-av/scanout/internal/sdl"
)

func checkVulkan(f *findings) {
	const area = "graphics"
	devices, err := gpu.Probe()
	if err != nil {
		f.lacks(missing, area, "Vulkan", err.Error(), "pictures are converted on the CPU",
			install("libvulkan1 mesa-vulkan-drivers", "vulkan-loader mesa-vulkan-drivers", "molten-vk vulkan-loader"))
		return
	}
	hardware := false
	for i := range devices {
		d := &devices[i]
		if !d.Usable {
			f.lacks(limited, area, d.Name, "cannot draw: lacks "+strings.Join(d.Missing, ", "), "another device is used", "a newer driver")
			continue
		}
		hardware = hardware || d.Type != "cpu"
		f.ok(area, fmt.Sprintf("device %d", d.Index), "%s (%s, Vulkan %s, %s)", d.Name, d.Type, d.API, d.Driver)
		yes := func(name string, have bool, cost string) {
			if have {
				f.ok(area, "  "+name, "used")
			} else {
				f.lacks(limited, area, "  "+name, "the driver does not offer it", cost, "")
			}
		}
		yes("frame memory read in place (external_memory_host)", d.HostImport, "one CPU copy of each frame")
		yes("copy engine of its own", d.TransferQueue || d.UnifiedMemory, "copying and drawing take turns")
		yes("YCbCr sampler", d.YCbCrSampler, "nothing: scanout converts in its own shader")
		yes("presentation times (present_timing, present_wait or display_timing)",
			d.PresentTiming || d.PresentWait || d.PresentWait2 || d.DisplayTiming, "presentation times are estimated where neither the Wayland compositor nor the X server tells them")
		if codecs := d.Decode.Names(); len(codecs) > 0 {
			f.ok(area, "  video decoding", "%s", strings.Join(codecs, ", "))
		} else {
			yes("video decoding", false, "video is decoded on the CPU")
		}
	}
	if !hardware {
		f.lacks(limited, area, "GPU", "the only Vulkan device is the CPU (lavapipe)", "conversion and scaling take CPU time; --renderer cpu is faster than Vulkan here", "a machine with a GPU and its driver")
	}
}

func checkFFmpeg(f *findings) {
	const area = "decoding"
	lib, err := libav.Open()
	if err != nil {
		f.lacks(missing, area, "FFmpeg", err.Error(), "only the built-in picture, Y4M and raw video play", install("ffmpeg", "ffmpeg-libs", "ffmpeg"))
		return
	}
	f.ok(area, "FFmpeg", "%s (libavcodec %d)", lib.Version, lib.Major)
	for _, p := range []struct{ name, what string }{{"udp", "udp:// and rtsp://"}, {"tls", "https:// and rtsps://"}, {"srt", "srt://"}, {"rtmp", "rtmp://"}} {
		if !lib.HasProtocol(p.name) {
			f.lacks(limited, area, p.what, "this FFmpeg was built without "+p.name, "such addresses cannot be played", "install an FFmpeg that has it: ffmpeg -protocols lists what one has")
		}
	}
	if !lib.Scale {
		f.lacks(limited, area, "libswscale", "not found", "pictures in rare pixel formats are refused", install("ffmpeg", "ffmpeg-libs", "ffmpeg"))
	}
}

func probeWindow() error {
	_, err := sdl.Load()
	return err
}

func checkAudio(f *findings) {
	const area = "sound"
	get := install("pulseaudio", "pipewire-pulseaudio", "pulseaudio")
	s, err := audio.Open(audio.Config{Backend: audio.Auto})
	if err != nil {
		f.lacks(missing, area, "audio", err.Error(), "no sound", get)
		return
	}
	defer s.Close()
	if strings.HasPrefix(s.Name(), "null") {
		f.lacks(missing, area, "audio", s.Choice(), "no sound; the null output keeps time", get)
		return
	}
	f.ok(area, "audio", "%s", s.Choice())
}
