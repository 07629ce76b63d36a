// Package player plays media: it wires source, decoder, pacer, renderer and sound
// together and owns their goroutines.
//
//	p, err := player.Open(ctx, player.Config{Media: "film.mp4"})
//	if err != nil { … }
//	defer p.Close()
//	err = p.Run(ctx) // plays to the end; on macOS call it from the main goroutine
//
// Goroutines, and what each one owns:
//
//	demux    source → packet rings         (coded sources)
//	video    packet ring → frame ring      decoder, or a raw source's pictures; where a GPU
//	                                       decodes, present does this between two pictures
//	audio    packet ring → audio sink      decoder, or a raw source's sound
//	present  frame ring → video sink       pacer, clock, window events; locked to its
//	                               thread where there may be a window
//
// Calls go down, wake-ups up. A seek raises the serial number: whatever carries an older
// one is dropped by whoever meets it, so that no stage has to be stopped. Shutdown goes
// with the data: the source is interrupted, the rings are closed in the order of the data
// path, each goroutine ends when its input does, then decoders, sinks, pool and source
// are closed.
package player
