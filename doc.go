// Package scanout is the root of a module that renders real-time audio and video from
// Go without cgo. It holds no code: it is the page to start reading from.
//
// Two kinds of program use the module:
//
//   - one that says "play this": package player, Open and Play;
//   - one that has frames of its own and wants them on a display at given times:
//     packages framepool, render and pace.
//
// The values that flow between the packages, and with them the data path, are in
// package media. The command is cmd/scanout. ARCHITECTURE.md explains how the parts
// fit; arch_test.go holds the floors that each package may import from.
package scanout
