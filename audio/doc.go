// Package audio plays samples and says what has been heard and when.
//
// [Open] chooses a backend: PulseAudio's native protocol (PipeWire speaks it as well),
// SDL's audio device (ALSA-only machines, Windows, macOS) or a null clock. All of them
// are a [Sink]:
//
//	decoded samples ─ Write ─▶ ring ─ feeder ─▶ server ─▶ device
//	                                              │
//	player's clock ◀─ Position ◀─ anchor ◀─ measured delay
//
// # Position
//
// A sink never counts what it has sent as heard. PulseAudio is asked ten times a second
// how much of the stream it has taken and how long that will take to be heard; the
// answers anchor a straight line that Position reads. SDL is asked by Position itself.
//
// # When the device goes away
//
// The sink becomes a null clock that continues at the position where the sound stopped,
// so that pictures go on. [Sink.Err] then returns media.ErrDeviceLost.
//
// # Goroutines
//
// A PulseAudio sink runs two: the protocol's reader and the feeder, which sends samples
// and asks for the delay. Close joins both. Other sinks run none.
//
// In steady state nothing allocates: not Write, not Position, not the two goroutines.
package audio
