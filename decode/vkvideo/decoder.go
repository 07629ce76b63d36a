package vkvideo

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/scanout-av/scanout/decode/bitstream"
	"github.com/scanout-av/scanout/internal/dl"
	"github.com/scanout-av/scanout/internal/gpu"
	"github.com/scanout-av/scanout/internal/vk"
	"github.com/scanout-av/scanout/media"
)

// Video decodes the pictures of one stream.
// Concurrency: one goroutine; Stats and the release of frames from any. Frames may be
// released after Close.
type Video struct {
	cfg   Config
	dev   *gpu.Device
	queue *gpu.VideoQueue
	c     *dl.Caller
	codec codec
	seq   *sequence
	done  *timeline
	a     *arena
	reads *readBack // nil unless Config.ReadBack

	slots   [maxSlots]*image // what stands for a slot: nil where nothing usable does
	waiting []waiting        // decoded and not output
	ready   []*media.Frame   // output and not received
	batch   int              // pictures recorded and not submitted
	sent    uint64           // what the timeline reaches by what has been submitted
	serial  uint32
	broken  error // another decoder must take over
	failed  error // of a picture that the device did not decode, for the next Send
	drained bool
	closed  bool

	frameTime media.Timestamp
	stats     counters
}

// waiting is a picture that has not been output.
type waiting struct {
	id    bitstream.PictureID
	image *image
	value uint64
	view  view
	stamp stamp
	show  bool
	keep  bool // until slot is freed, shown or not
	slot  int
}

// stamp is what a frame takes over from its access unit.
type stamp struct {
	pts, duration       media.Timestamp
	timebase            media.Timebase
	received, assembled media.Instant
	key                 bool
}

// hang is how long the GPU may take for a picture before it is given up.
const hang = 5 * time.Second

// New returns a decoder for cfg.Stream. Whether the device decodes the stream is known
// here as far as the container says what it is; see [Video.Send].
// Ownership: the caller closes it.
// Errors: media.ErrNotSupported.
func New(cfg Config) (v *Video, err error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	v = &Video{cfg: cfg, dev: cfg.Device, c: new(dl.Caller), a: newArena(), frameTime: media.NoTimestamp}
	if v.codec, err = newCodec(&cfg.Stream); err != nil {
		return nil, err
	}
	if err := probe(cfg.Device, &cfg.Stream, v.codec); err != nil {
		return nil, err
	}
	// From here on Close gives everything back.
	if r := cfg.Stream.FrameRate; r.Valid() && cfg.Stream.Timebase.Valid() {
		v.frameTime = media.Rescale(1, media.Timebase{Num: r.Den, Den: r.Num}, cfg.Stream.Timebase)
	}
	v.dev.Retain()
	v.queue = v.dev.OpenVideoQueue()
	if v.done, err = newTimeline(v.dev); err == nil && cfg.ReadBack != nil {
		v.reads, err = newReadBack(v.dev, cfg.ReadBack)
	}
	if err != nil {
		return nil, errors.Join(err, v.Close())
	}
	v.waiting = make([]waiting, 0, 2*maxSlots)
	v.ready = make([]*media.Frame, 0, 2*maxSlots)
	return v, nil
}

// Decodes reports whether streams of a codec are decoded here, where the device does.
func Decodes(c media.Codec) bool { return c == "h264" || c == "hevc" || c == "av1" || c == "vp9" }

// Proven reports whether decoding a codec was compared with a software decoder, frame by
// frame, on a device. AV1 and VP9 were not: no device at hand offers them.
func Proven(c media.Codec) bool { return c == "h264" || c == "hevc" }

// newCodec returns the codec of a stream.
// Errors: media.ErrNotSupported; what is wrong with the extra data.
func newCodec(s *media.Stream) (codec, error) {
	switch s.Codec {
	case "h264":
		return newH264(s)
	case "hevc":
		return newH265(s)
	case "av1":
		return newAV1(s)
	case "vp9":
		return newVP9(s)
	}
	return nil, fmt.Errorf("vkvideo: codec %q: %w", s.Codec, media.ErrNotSupported)
}

// probe refuses streams that the device does not decode, as far as it is known.
func probe(dev *gpu.Device, s *media.Stream, c codec) error {
	k, level, ok := c.known()
	if ok {
		_, err := supports(dev, c.profile(&k), &k, level)
		return err
	}
	// No parameter sets yet: the most common profile stands for all.
	k = kind{profile: c.usual(), bits: 8, width: s.Width, height: s.Height}
	if k.width == 0 || k.height == 0 {
		_, err := dev.VideoCapabilities(c.profile(&k))
		return err
	}
	_, err := supports(dev, c.profile(&k), &k, 0)
	return err
}

// Supports reports why dev cannot decode stream, nil when it can as far as the container
// says what it is.
// Errors: media.ErrNotSupported.
func Supports(dev *gpu.Device, stream *media.Stream) error {
	c, err := newCodec(stream)
	if err != nil {
		return err
	}
	return probe(dev, stream, c)
}

// Name says what decodes, for reports.
func (v *Video) Name() string { return "vulkan " + string(v.cfg.Stream.Codec) }

// Stats returns the counters.
func (v *Video) Stats() Stats { return v.stats.stats() }

// Device is where the pictures are.
func (v *Video) Device() *gpu.Device { return v.dev }

// Images says how pictures are kept, ImagesAuto before the first.
func (v *Video) Images() Images {
	if v.seq == nil {
		return ImagesAuto
	}
	return v.seq.mode
}

// Ring is where access units can be written that the decoder then does not copy; nil
// before the first picture. It changes with the size of the pictures.
func (v *Video) Ring() *Ring {
	if v.seq == nil {
		return nil
	}
	return v.seq.ring
}

// Send decodes au; nil drains the decoder.
// Ownership: takes au, except when it returns media.ErrAgain or media.ErrNotSupported.
// Errors: media.ErrAgain: Receive first; media.ErrNotSupported: the stream needs another
// decoder, which may begin with this unit; media.ErrDeviceLost; os.ErrClosed; ErrDecode;
// anything else is one damaged unit, this one or one before it, and decoding goes on.
func (v *Video) Send(au *media.AccessUnit) error {
	if len(v.ready) > 0 && !v.closed {
		return media.ErrAgain
	}
	if au == nil {
		return v.drain()
	}
	err := v.send(au)
	if !errors.Is(err, media.ErrNotSupported) {
		au.Release()
	}
	return err
}

// ErrDecode says that the device did not decode a picture in which the parser saw no
// damage: it and the stream do not go together, and another decoder does better.
var ErrDecode = errors.New("a picture was not decoded")

func (v *Video) send(au *media.AccessUnit) error {
	switch {
	case v.closed:
		return os.ErrClosed
	case v.broken != nil:
		return v.broken
	case v.dev.Lost():
		return fmt.Errorf("vkvideo: %w", media.ErrDeviceLost)
	case len(au.Data) == 0:
		return nil
	}
	if v.batch == 0 {
		if err := v.harvest(); err != nil {
			return err
		}
	}
	parsed := v.codec.parse(au.Data)
	if errors.Is(parsed, media.ErrNotSupported) {
		v.broken = fmt.Errorf("vkvideo: %w", parsed)
		return v.broken
	}
	var first error
	st := stamp{pts: au.PTS, duration: au.Duration, timebase: au.Timebase, received: au.Received, assembled: au.Assembled, key: au.Key}
	for p := v.codec.next(); p != nil; p = v.codec.next() {
		if err := v.picture(au, p, st); err != nil {
			if errors.Is(err, media.ErrNotSupported) {
				v.broken = err
				return err
			}
			if errors.Is(err, media.ErrDeviceLost) {
				return v.fail(err)
			}
			if first == nil {
				first = err
			}
		}
		if !p.nonExisting && (!p.keep || len(p.output) > 0) {
			st.pts = media.NoTimestamp // belongs to the first, or the first that is shown
		}
	}
	if first != nil {
		return first
	}
	if parsed != nil {
		return fmt.Errorf("vkvideo: %s access unit at %v: %w", v.cfg.Stream.Codec, au.Timebase.Duration(au.PTS), parsed)
	}
	err := v.failed
	v.failed = nil
	return err
}

// fail remembers that the device was lost.
func (v *Video) fail(err error) error {
	if errors.Is(err, media.ErrDeviceLost) {
		v.dev.MarkLost()
	}
	return err
}

func (v *Video) drain() error {
	if v.closed {
		return os.ErrClosed
	}
	for _, o := range v.codec.flush() {
		v.output(o, nil)
	}
	v.forget()
	v.drained = true
	return v.Submit()
}

// picture decodes p and hands on what is due, which does not depend on whether p itself
// can be had, unless the decoder is at its end.
func (v *Video) picture(au *media.AccessUnit, p *picture, st stamp) error {
	if p.refuse != nil {
		return p.refuse
	}
	st.key = st.key || p.key
	if p.existing {
		v.settle(p, &st)
		return nil
	}
	if v.starts(p) {
		if err := v.begin(p); err != nil {
			return err
		}
	}
	if c := v.seq.caps; p.width != 0 && (p.width < c.MinWidth || p.height < c.MinHeight) {
		return fmt.Errorf("vkvideo: a picture of %dx%d: %s decodes %dx%d at least: %w", p.width, p.height, v.dev.Name, c.MinWidth, c.MinHeight, media.ErrNotSupported)
	}
	w := waiting{id: p.id, view: p.view, stamp: st, show: !p.hidden && !p.corrupt && !p.nonExisting, keep: p.keep, slot: p.slot}
	im, err := v.place(p)
	ok := err == nil && v.decodable(p)
	if ok {
		err = v.submit(au, p, im)
	}
	if err != nil {
		if errors.Is(err, media.ErrNotSupported) || errors.Is(err, media.ErrDeviceLost) {
			return err
		}
		v.codec.damage(p.id)
		v.unbind(p.slot)
		v.stats.skipped.Add(1)
		v.settle(p, &st)
		return err
	}
	switch {
	case ok:
		w.value = v.done.Next
	case !p.nonExisting:
		// What refers to it is corrupt, too; the slot stands for nothing.
		v.codec.damage(p.id)
		fallthrough
	default:
		w.show = false
		v.unbind(p.slot)
	}
	w.image = im
	im.held++ // until its output
	v.waiting = append(v.waiting, w)
	v.settle(p, &st)
	return nil
}

// starts reports whether p needs another session than there is. Parameter sets may change
// more with an IDR picture than the size of pictures: a session has a profile, and a number
// of reference pictures.
func (v *Video) starts(p *picture) bool {
	if p.newSequence || v.seq == nil || p.kind.slots > v.seq.kind.slots {
		return true
	}
	k := &v.seq.kind
	return len(p.refs) == 0 && !p.nonExisting && (p.kind.profile != k.profile || p.kind.references > k.references)
}

// settle outputs what is due with p and empties the slots that it frees.
func (v *Video) settle(p *picture, st *stamp) {
	for _, o := range p.output {
		v.output(o, st)
	}
	for i := 0; p.keep && i < len(v.waiting); {
		if w := &v.waiting[i]; w.keep && p.freed.Has(w.slot) {
			v.stopWaiting(i)
		} else {
			i++
		}
	}
	for s := range v.slots {
		if p.freed.Has(s) {
			v.unbind(s)
		}
	}
}

// decodable reports whether p can be submitted: there is a slice, and everything that it
// may refer to lies in a slot.
func (v *Video) decodable(p *picture) bool {
	if p.nonExisting || len(p.slices) == 0 {
		return false
	}
	usable := 0
	for _, r := range p.refs {
		if !r.nonExisting && v.slots[r.slot] != nil && r.slot != p.slot {
			usable++
		}
	}
	if p.needsAll {
		return usable == len(p.refs)
	}
	return p.intra || usable > 0 || p.recovering
}

// place finds p an image and lets its slot stand for what will be decoded.
func (v *Video) place(p *picture) (*image, error) {
	if p.slot < 0 || p.slot >= v.seq.kind.slots {
		panic("vkvideo: a picture outside the decoded picture buffer")
	}
	v.unbind(p.slot)
	im, err := v.seq.take(func() { v.stats.grown.Add(1) })
	if err != nil {
		return nil, err
	}
	im.resize(p)
	v.slots[p.slot] = im
	switch v.seq.mode {
	case ImagesShared:
		im.held++
		if p.grain { // the slot stands for what has none
			im.held++ // is not free
			bare, err := v.seq.take(func() { v.stats.grown.Add(1) })
			im.held -= 2
			if err != nil {
				v.slots[p.slot] = nil
				return nil, err
			}
			bare.held++
			v.slots[p.slot] = bare
		}
	case ImagesCopied:
		if p.reference || !v.seq.caps.Separate {
			v.slots[p.slot] = v.seq.dpb[p.slot]
		}
	default:
		v.slots[p.slot] = v.seq.dpb[p.slot]
	}
	v.slots[p.slot].resize(p)
	return im, nil
}

// resize notes the size of the picture that im is for.
func (im *image) resize(p *picture) {
	if p.width != 0 {
		im.width, im.height = p.width, p.height
	}
}

// unbind makes slot s stand for nothing.
func (v *Video) unbind(s int) {
	if im := v.slots[s]; im != nil && v.seq.mode == ImagesShared {
		im.held--
	}
	v.slots[s] = nil
}

// begin sets up for pictures of another kind.
func (v *Video) begin(p *picture) error {
	for s := range v.slots {
		if v.seq != nil {
			v.unbind(s)
		}
	}
	if s := v.seq; s != nil && s.kind == p.kind {
		s.reset = true
		return nil
	}
	if err := v.leave(); err != nil {
		return err
	}
	s, err := newSequence(&v.cfg, v.c, v.done, v.codec.profile(&p.kind), p.kind, v.codec.level())
	if err != nil {
		return err
	}
	v.seq = s
	v.stats.sequences.Add(1)
	return nil
}

// leave gives up the current sequence once the GPU has finished with it. Its pictures
// that wait stay.
func (v *Video) leave() error {
	s := v.seq
	if s == nil {
		return nil
	}
	var err error
	if v.dev.Lost() {
		err = fmt.Errorf("vkvideo: %w", media.ErrDeviceLost)
	} else if err = v.wait(v.done.Next); err == nil {
		err = v.harvest()
	}
	v.seq = nil
	for i := range v.waiting {
		if v.waiting[i].image.seq == s {
			s.refs.Add(1) // until output
		}
	}
	for i := range s.jobs {
		s.finish(&s.jobs[i])
	}
	s.release()
	return err
}

// output hands on a picture; st is of the access unit that says so.
func (v *Video) output(o bitstream.Output, st *stamp) {
	for i := range v.waiting {
		w := &v.waiting[i]
		if w.id != o.ID {
			continue
		}
		if w.keep && st != nil {
			w.stamp = *st
		}
		if w.show {
			v.ready = append(v.ready, v.frame(w))
			v.stats.frames.Add(1)
		} else {
			v.stats.skipped.Add(1)
		}
		if !w.keep {
			v.stopWaiting(i)
		}
		return
	}
}

// stopWaiting forgets the i-th picture that waits.
func (v *Video) stopWaiting(i int) {
	im := v.waiting[i].image
	v.waiting = append(v.waiting[:i], v.waiting[i+1:]...)
	im.held--
	if im.seq != v.seq {
		im.seq.release()
	}
}

// frame makes the frame of a picture.
func (v *Video) frame(w *waiting) *media.Frame {
	im := w.image
	h, pic := im.handle(), im.pic
	f := &h.frame
	pic.X, pic.Y = w.view.crop.X, w.view.crop.Y
	pic.Ready, pic.Value = v.done.Handle, w.value
	f.Format = media.NV12
	if im.seq.kind.bits > 8 {
		f.Format = media.P010
	}
	f.Width, f.Height = w.view.crop.Width, w.view.crop.Height
	f.GPU, f.Slot = pic, -1
	f.Color, f.SAR, f.Orientation = w.view.color, w.view.sar, v.cfg.Stream.Orientation
	if s := v.cfg.Stream.SAR; s.Valid() {
		f.SAR = s
	}
	f.PTS, f.Duration, f.Timebase = w.stamp.pts, w.stamp.duration, w.stamp.timebase
	if !f.Duration.Valid() || f.Duration <= 0 {
		f.Duration = v.frameTime
	}
	f.Serial, f.Key = v.serial, w.stamp.key
	f.Received, f.Assembled, f.Decoded = w.stamp.received, w.stamp.assembled, 0
	h.out.Store(true)
	im.out.Add(1)
	im.seq.refs.Add(1)
	f.Arm(h)
	return f
}

// Receive returns the next frame in output order. The GPU may still be at work on it.
// Ownership: the frame is the caller's.
// Errors: media.ErrAgain when more input is needed; io.EOF when drained; os.ErrClosed.
func (v *Video) Receive() (*media.Frame, error) {
	if v.closed {
		return nil, os.ErrClosed
	}
	if len(v.ready) == 0 {
		if v.drained {
			return nil, io.EOF
		}
		return nil, media.ErrAgain
	}
	f := v.ready[0]
	n := copy(v.ready, v.ready[1:])
	v.ready = v.ready[:n]
	if v.reads == nil {
		return f, nil
	}
	if err := v.Submit(); err != nil {
		f.Release()
		return nil, err
	}
	// A file wants to know whether the picture is right before it is written.
	g, err := v.reads.read(f)
	f.Release()
	if err != nil {
		return nil, v.fail(err)
	}
	v.stats.readBacks.Add(1)
	return g, v.fail(v.harvest())
}

// harvest takes the results of pictures that the GPU has finished.
func (v *Video) harvest() error {
	s := v.seq
	if s == nil {
		return nil
	}
	reached, err := v.done.Reached(v.c)
	if err != nil {
		return v.fail(fmt.Errorf("vkvideo: %w", err))
	}
	for i, n := 0, 0; i < len(s.jobs); i += n + 1 {
		for n = 0; i+n < len(s.jobs) && s.jobs[i+n].value != 0 && s.jobs[i+n].value <= reached; {
			n++
		}
		if n > 0 {
			v.results(s, i, n)
		}
	}
	for len(s.retired) > 0 && s.retired[0].value <= reached {
		s.session.FreeParameters(s.retired[0].parameters)
		s.retired = append(s.retired[:0], s.retired[1:]...)
	}
	return nil
}

// results asks how decoding n jobs went, from job first on.
func (v *Video) results(s *sequence, first, n int) {
	const with = vk.QUERY_RESULT_WITH_STATUS_BIT_KHR
	got := vk.SUCCESS
	if s.queries != 0 {
		got = v.dev.Commands.GetQueryPoolResults(v.c, v.dev.Handle, s.queries, uint32(first), uint32(n), uintptr(4*n), vk.Pointer(&v.a.status[0]), 4, vk.QueryResultFlags(with))
	}
	if got != vk.SUCCESS && n > 1 { // which is it?
		for i := range n {
			v.results(s, first+i, 1)
		}
		return
	}
	for i := range n {
		if s.queries != 0 && (got != vk.SUCCESS || v.a.status[i] != int32(vk.QUERY_RESULT_STATUS_COMPLETE_KHR)) {
			v.undecoded(&s.jobs[first+i], v.a.status[i])
		}
		s.finish(&s.jobs[first+i])
	}
}

// undecoded takes note that the device has not decoded the picture of j.
func (v *Video) undecoded(j *job, status int32) {
	v.stats.errors.Add(1)
	v.codec.damage(j.id)
	for k := range v.waiting {
		if v.waiting[k].id == j.id {
			v.waiting[k].show = false
		}
	}
	if !j.corrupt { // the parser saw no damage: the device and the stream disagree
		v.failed = fmt.Errorf("vkvideo: %s, status %d: %w", v.dev.Name, status, ErrDecode)
	}
}

// finish gives back what job j kept for the GPU.
func (s *sequence) finish(j *job) {
	if j.value != 0 {
		j.ring.release(j.segment)
		j.value, j.ring = 0, nil
	}
}

// wait waits until the timeline reaches value, which may be of the batch at hand.
func (v *Video) wait(value uint64) error {
	if value > v.sent {
		if err := v.Submit(); err != nil {
			return err
		}
	}
	if done, err := v.done.Done(v.c, value); err == nil && done {
		return nil
	}
	v.stats.waits.Add(1)
	err := v.done.Wait(v.c, value, hang)
	if err == media.ErrAgain {
		v.dev.MarkLost()
		return fmt.Errorf("vkvideo: %s has not decoded a picture for %v: %w", v.dev.Name, hang, media.ErrDeviceLost)
	}
	return v.fail(err)
}

// Flush forgets everything that was sent. Frames carry serial from now on.
func (v *Video) Flush(serial uint32) {
	v.serial, v.drained, v.failed = serial, false, nil
	if v.closed {
		return
	}
	for _, f := range v.ready {
		f.Release()
	}
	v.ready = v.ready[:0]
	_ = v.Submit() // the device was lost: Send says so
	v.codec.reset()
	v.forget()
}

// forget drops what waits and empties all slots.
func (v *Video) forget() {
	for i := range v.waiting {
		im := v.waiting[i].image
		im.held--
		if im.seq != v.seq {
			im.seq.release()
		}
	}
	v.waiting = v.waiting[:0]
	if v.seq == nil {
		return
	}
	for s := range v.slots {
		v.unbind(s)
	}
	v.seq.reset = true
}

// Close waits for the GPU and frees the decoder. Frames that are still out stay valid.
func (v *Video) Close() error {
	if v.closed {
		return nil
	}
	v.Flush(v.serial)
	v.closed = true
	err := v.leave()
	if errors.Is(err, media.ErrDeviceLost) {
		err = nil // has been reported
	}
	v.reads.close()
	v.queue.Close()
	v.done.release() // frames that are out hold it: a draw may be about to wait for it
	if e := v.dev.Close(); err == nil {
		err = e
	}
	return err
}
