module github.com/scanout-av/scanout

go 1.26.0

require (
	github.com/alecthomas/kong v1.17.0
	github.com/ebitengine/purego v0.11.0
	github.com/google/go-cmp v0.7.0
	github.com/jfreymuth/pulse v0.1.1
	github.com/klauspost/cpuid/v2 v2.4.2
	go.uber.org/goleak v1.3.0
	golang.org/x/sys v0.49.0
)

require (
	github.com/pion/rtcp v1.2.20
	github.com/pion/rtp v1.10.6
	github.com/pion/sdp/v3 v3.0.20
	golang.org/x/net v0.62.0
)

require github.com/pion/randutil v0.1.0 // indirect

require github.com/godbus/dbus/v5 v5.2.4
