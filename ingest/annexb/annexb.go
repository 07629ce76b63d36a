// Package annexb reads raw H.264 and H.265 files (ITU-T Annex B: .264, .265 and their
// like), AV1 as a sequence of OBUs (.obu), and IVF files of AV1 and VP9, without FFmpeg.
//
// Raw files have no timestamps. Units that begin anew (IDR pictures) carry their place in
// output order, which is their number; the others leave it to whoever decodes, unless
// Config.Order is set. Units of AV1 and VP9 are in output order. The frame rate is the one
// that the stream names, that of an IVF file's timestamps, or 25 as for other players.
//
// Ownership: access units lie in memory of the source, which is used again when they are
// released. They may outlive the source.
// Concurrency: one goroutine; Interrupt and the release of units from any.
package annexb

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scanout-av/scanout/decode/bitstream"
	"github.com/scanout-av/scanout/decode/bitstream/h264"
	"github.com/scanout-av/scanout/decode/bitstream/h265"
	"github.com/scanout-av/scanout/media"
)

// Config says what to read.
type Config struct {
	Path string
	// Codec is "h264", "hevc", "av1" or "ivf"; "" goes by the name.
	Codec media.Codec
	// Rate is the frame rate; not given, it is the stream's own.
	Rate media.Rational
	// Order gives all units timestamps: those that are not IDR pictures have none else, and
	// decoders need none. It takes reading ahead by some pictures, and parsing them all.
	Order bool
	// Now stamps units as they are read; nil leaves them without.
	Now func() media.Instant
}

const (
	firstBuffer = 1 << 20
	// maxUnit is more than the largest picture that a level allows.
	maxUnit = 64 << 20
	// probeUnits is how many units may come before a parameter set.
	probeUnits = 64
)

var names = map[string]media.Codec{
	".264": "h264", ".h264": "h264", ".avc": "h264", ".jsv": "h264", ".jvt": "h264", ".26l": "h264",
	".265": "hevc", ".h265": "hevc", ".hevc": "hevc",
	".obu": "av1", ".ivf": codecIVF,
}

// codecIVF stands for a file that says by itself what it holds.
const codecIVF = media.Codec("ivf")

// CodecOf returns what a file of that name holds, "ivf" where the file itself says it, and
// "" for none of this package.
func CodecOf(path string) media.Codec { return names[strings.ToLower(filepath.Ext(path))] }

// Source reads a file.
type Source struct {
	cfg  Config
	f    *os.File
	info media.Info
	scan scanner
	text text
	ivf  *ivf // nil for raw streams; the same as text

	inOrder bool // units are in output order

	next    int64 // number of the next unit
	keys    []keyUnit
	known   int64    // units that keys and sets know of
	sets    [][]byte // parameter sets so far, the newest last; replaced, not changed
	missing [][]byte // of them, those that the next unit shall bring
	wanted  bool
	stopped atomic.Bool
	units   pool
	order   *order // nil without Config.Order
}

// keyUnit is a unit that decoding can begin with, once the parameter sets before it are known.
type keyUnit struct {
	number, offset int64
	sets           [][]byte
}

// maxSets bounds the parameter sets that are kept: H.264 has 32 + 256, and uses few.
const maxSets = 64

// text is the part of reading that depends on the codec.
type text interface {
	split() bufio.SplitFunc
	// describe fills in s from the parameter sets in unit; false when there are none.
	describe(unit []byte, s *media.Stream) bool
	// key reports whether decoding can begin with unit, and whether it is an IDR picture,
	// behind which nothing is shown that came before.
	key(unit []byte) (key, idr bool)
}

// withSets is a text whose parameter sets may come once, far before the unit that needs them.
type withSets interface {
	// set returns which kind of parameter set nal is, 0 for none, and slice that none comes
	// behind it.
	set(nal []byte) (kind byte, slice bool)
}

// Open opens a file and reads up to its first parameter sets.
// Errors: media.ErrNotSupported for what is no regular file or no such stream.
func Open(cfg Config) (*Source, error) {
	if cfg.Codec == "" {
		cfg.Codec = CodecOf(cfg.Path)
	}
	s := &Source{cfg: cfg}
	switch cfg.Codec {
	case "h264":
		s.text = &avc{}
	case "hevc":
		s.text = &hevc{}
	case "av1":
		s.text, s.inOrder = aom{}, true
	case codecIVF:
		s.inOrder = true
	default:
		return nil, fmt.Errorf("annexb: %s: the name does not say H.264, H.265 or AV1: %w", cfg.Path, media.ErrNotSupported)
	}
	if st, err := os.Stat(cfg.Path); err != nil {
		return nil, fmt.Errorf("annexb: %w", err)
	} else if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("annexb: %s is not a regular file: %w", cfg.Path, media.ErrNotSupported)
	}
	f, err := os.Open(cfg.Path)
	if err != nil {
		return nil, fmt.Errorf("annexb: %w", err)
	}
	s.f, s.scan = f, scanner{r: f, mem: make([]byte, firstBuffer)}
	if cfg.Codec == codecIVF {
		head := s.scan.mem[:32]
		n, _ := io.ReadFull(f, head)
		if s.ivf, s.cfg.Codec, err = newIVF(cfg.Path, head[:n]); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		s.text = s.ivf
	}
	if err = s.probe(); err == nil && cfg.Order && !s.inOrder {
		s.order, err = newOrder(s.cfg.Codec)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return s, nil
}

func (s *Source) probe() error {
	st := media.Stream{Kind: media.KindVideo, Codec: s.cfg.Codec, Default: true, Start: 0, Duration: media.NoTimestamp, Color: media.ColorUnspecified}
	if err := s.rewind(0, 0); err != nil {
		return err
	}
	found := false
	for range probeUnits {
		if !s.scan.Scan() {
			break
		}
		if s.ivf != nil {
			s.ivf.look(s.scan.token)
		}
		if !found {
			found = s.text.describe(s.scan.token, &st)
		}
		if found && s.ivf == nil {
			break
		}
	}
	if s.ivf != nil {
		if r := s.ivf.rate(); r.Valid() {
			st.FrameRate = r
		}
	}
	if err := s.scan.err; err != nil {
		return fmt.Errorf("annexb: %s: %w", s.cfg.Path, err)
	}
	if !found {
		return fmt.Errorf("annexb: %s has no parameter sets of %s at its beginning: %w", s.cfg.Path, s.cfg.Codec, media.ErrNotSupported)
	}
	if s.cfg.Rate.Valid() {
		st.FrameRate = s.cfg.Rate
	}
	if r := st.FrameRate.Float(); !st.FrameRate.Valid() || r < 1 || r > 1000 {
		st.FrameRate = media.Rational{Num: 25, Den: 1}
	}
	st.Timebase = media.Timebase{Num: st.FrameRate.Den, Den: st.FrameRate.Num}
	s.info = media.Info{Name: s.cfg.Path, Format: string(s.cfg.Codec), Seekable: true, Streams: []media.Stream{st}}
	s.wanted = true
	return s.rewind(0, 0)
}

// rewind goes on with unit number, at offset.
func (s *Source) rewind(number, offset int64) error {
	if _, err := s.f.Seek(offset, io.SeekStart); err != nil {
		return fmt.Errorf("annexb: %s: %w", s.cfg.Path, err)
	}
	s.next = number
	if s.ivf != nil {
		s.ivf.atHeader = offset == 0
	}
	s.scan.restart(s.text.split(), offset)
	return nil
}

// Info describes the source.
func (s *Source) Info() *media.Info { return &s.info }

// Select says which streams Read shall return.
func (s *Source) Select(streams ...int) {
	s.wanted = false
	for _, i := range streams {
		s.wanted = s.wanted || i == 0
	}
}

// Read fills au with the next access unit.
// Ownership: au belongs to the caller, who releases it.
// Errors: io.EOF at the end, os.ErrClosed after Interrupt.
func (s *Source) Read(au *media.AccessUnit) error {
	if s.order != nil {
		return s.order.read(s, au)
	}
	return s.read(au)
}

// read is Read in decoding order.
func (s *Source) read(au *media.AccessUnit) error {
	unit, key, idr, err := s.unit()
	if err != nil {
		return err
	}
	st := &s.info.Streams[0]
	*au = media.AccessUnit{PTS: media.NoTimestamp, DTS: media.Timestamp(s.next), Duration: 1, Timebase: st.Timebase, Key: key}
	if idr || s.inOrder {
		au.PTS = media.Timestamp(s.next)
	}
	data := unit
	if s.ivf != nil {
		data = unit[ivfHeader:]
	}
	before := 0
	if len(s.missing) > 0 {
		s.missing = slices.DeleteFunc(slices.Clone(s.missing), func(nal []byte) bool { return bytes.Contains(data, nal) })
	}
	for _, nal := range s.missing {
		before += len(startCode) + len(nal)
	}
	au.Data, au.Native = s.units.get(before + len(data))
	au.Owner = &s.units
	at := 0
	for _, nal := range s.missing {
		at += copy(au.Data[at:], startCode)
		at += copy(au.Data[at:], nal)
	}
	s.missing = nil
	copy(au.Data[at:], data)
	if s.cfg.Now != nil {
		au.Received = s.cfg.Now()
	}
	s.advance(key)
	return nil
}

// unit returns the next unit, valid until the next call; advance goes past it.
func (s *Source) unit() (unit []byte, key, idr bool, err error) {
	if s.stopped.Load() {
		return nil, false, false, os.ErrClosed
	}
	if !s.wanted {
		return nil, false, false, io.EOF
	}
	if !s.scan.Scan() {
		if err := s.scan.err; err != nil {
			return nil, false, false, fmt.Errorf("annexb: %s: %w", s.cfg.Path, err)
		}
		return nil, false, false, io.EOF
	}
	unit = s.scan.token
	key, idr = s.text.key(unit)
	return unit, key, idr, nil
}

func (s *Source) advance(key bool) {
	if s.next == s.known {
		if key {
			s.keys = append(s.keys, keyUnit{s.next, s.scan.offset, s.sets})
		}
		s.collect(s.scan.token)
		s.known++
	}
	s.next++
}

// startCode begins a NAL unit.
const startCode = "\x00\x00\x00\x01"

// collect takes note of the parameter sets of unit. One that comes again is the newest of its
// kind from then on.
func (s *Source) collect(unit []byte) {
	text, ok := s.text.(withSets)
	if !ok {
		return
	}
	// Most units begin with a slice, and where that ends has been looked for once.
	if i := bytes.Index(unit, []byte(startCode[1:])); i >= 0 && i+3 < len(unit) {
		if _, slice := text.set(unit[i+3:]); slice {
			return
		}
	}
	nals(unit, func(nal []byte) bool {
		kind, slice := text.set(nal)
		if kind == 0 {
			return !slice
		}
		for i := len(s.sets) - 1; i >= 0; i-- {
			if k, _ := text.set(s.sets[i]); k != kind {
				continue
			}
			if bytes.Equal(s.sets[i], nal) {
				return true
			}
			break // that one may have the same number
		}
		sets := slices.DeleteFunc(slices.Clone(s.sets), func(b []byte) bool { return bytes.Equal(b, nal) })
		s.sets = append(sets[max(0, len(sets)-maxSets+1):], bytes.Clone(nal))
		return true
	})
}

// Seek moves to the last keyframe at or before t. What lies between there and what has
// been read so far is looked through.
func (s *Source) Seek(t time.Duration) error {
	want := int64(s.info.Streams[0].Timebase.Ticks(max(t, 0)))
	if s.known <= want {
		from := keyUnit{}
		if n := len(s.keys); n > 0 {
			from = s.keys[n-1]
		}
		if err := s.rewind(from.number, from.offset); err != nil {
			return err
		}
		for s.next <= want {
			_, key, _, err := s.unit()
			if err == io.EOF {
				break
			}
			if err != nil {
				return err
			}
			s.advance(key)
		}
	}
	i := sort.Search(len(s.keys), func(i int) bool { return s.keys[i].number > want })
	to := keyUnit{}
	if i > 0 {
		to = s.keys[i-1]
	}
	if s.order != nil {
		s.order.restart(to.number)
	}
	if err := s.rewind(to.number, to.offset); err != nil {
		return err
	}
	s.missing = to.sets // whoever begins here has not seen them
	return nil
}

// Interrupt makes a later Read return os.ErrClosed.
func (s *Source) Interrupt() { s.stopped.Store(true) }

// Close closes the file.
func (s *Source) Close() error {
	s.Interrupt()
	if s.order != nil {
		s.order.restart(0)
	}
	if err := s.f.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return fmt.Errorf("annexb: %w", err)
	}
	return nil
}

// pool is the memory of access units, used again when they come back: by powers of two,
// so that a keyframe's does not end up with every unit that waits in a queue.
type pool struct {
	mu   sync.Mutex
	mem  [][]byte
	free [classes][]int // by size
}

const (
	smallest = 12 // a class begins with 4 KiB
	classes  = 16
)

// class is the smallest class that holds n bytes.
func class(n int) int {
	c := 0
	for n > 1<<(smallest+c) {
		c++
	}
	return c
}

// get returns memory and its handle.
func (p *pool) get(n int) ([]byte, uintptr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := class(n)
	for k := c; k < min(c+2, classes); k++ { // the next larger will do
		if last := len(p.free[k]) - 1; last >= 0 {
			i := p.free[k][last]
			p.free[k] = p.free[k][:last]
			return p.mem[i][:n], uintptr(i) + 1
		}
	}
	p.mem = append(p.mem, make([]byte, 1<<(smallest+c)))
	return p.mem[len(p.mem)-1][:n], uintptr(len(p.mem))
}

// ReclaimAccessUnit takes memory back.
func (p *pool) ReclaimAccessUnit(native uintptr) {
	p.mu.Lock()
	i := int(native) - 1
	c := class(cap(p.mem[i]))
	p.free[c] = append(p.free[c], i)
	p.mu.Unlock()
}

// nals calls f with each NAL unit of unit until it returns false.
func nals(unit []byte, f func(nal []byte) bool) {
	var framing bitstream.Framing
	for pos := 0; ; {
		n, ok, _ := framing.Next(unit, pos)
		if !ok || !f(n.Bytes(unit)) {
			return
		}
		pos = n.After()
	}
}

// avc is H.264.
type avc struct {
	sei      h264.SEI
	splitter *h264.Splitter
	f        bufio.SplitFunc
}

func (c *avc) split() bufio.SplitFunc {
	if c.splitter == nil {
		c.splitter = h264.NewSplitter()
		c.f = c.splitter.Split
	}
	c.splitter.Reset()
	return c.f
}

func (*avc) describe(unit []byte, s *media.Stream) (found bool) {
	nals(unit, func(nal []byte) bool {
		if nal[0]&31 != h264.NALSPS {
			return true
		}
		p, err := h264.ParseSPS(nal)
		if err != nil {
			return true
		}
		v, c := &p.VUI, p.Crop()
		s.Width, s.Height, s.Color = c.Width, c.Height, p.Color()
		s.SAR = media.Rational{Num: int32(v.SarWidth), Den: int32(v.SarHeight)}
		if v.TimingInfoPresentFlag { // fields, two a frame
			s.FrameRate = ratio(uint64(v.TimeScale), 2*uint64(v.NumUnitsInTick))
		}
		s.Format = format(p.ChromaFormatIdc, p.BitDepthLumaMinus8)
		found = true
		return false
	})
	return found
}

func (c *avc) key(unit []byte) (key, idr bool) {
	nals(unit, func(nal []byte) bool {
		switch nal[0] & 31 {
		case h264.NALIDR:
			key, idr = true, true
			return false
		case h264.NALSEI:
			c.sei = h264.SEI{}
			if c.sei.Parse(nal, nil) == nil && c.sei.RecoveryPoint && c.sei.RecoveryFrameCnt == 0 {
				key = true
			}
		case h264.NALSlice:
			return false
		}
		return true
	})
	return key, idr
}

func (*avc) set(nal []byte) (kind byte, slice bool) {
	switch t := nal[0] & 31; t {
	case h264.NALSPS, h264.NALPPS:
		return t, false
	default:
		return 0, t >= h264.NALSlice && t <= h264.NALIDR
	}
}

// hevc is H.265.
type hevc struct {
	splitter h265.Splitter
	f        bufio.SplitFunc
}

func (c *hevc) split() bufio.SplitFunc {
	if c.f == nil {
		c.f = c.splitter.Split
	}
	c.splitter.Reset()
	return c.f
}

func (*hevc) describe(unit []byte, s *media.Stream) (found bool) {
	var rate media.Rational // of the VPS
	nals(unit, func(nal []byte) bool {
		if len(nal) < 2 {
			return true
		}
		switch h265.NALType(nal[0] >> 1 & 63) {
		case h265.NALVPS:
			if v, err := h265.ParseVPS(nal); err == nil && v.VpsTimingInfoPresentFlag {
				rate = ratio(uint64(v.VpsTimeScale), uint64(v.VpsNumUnitsInTick))
			}
		case h265.NALSPS:
			p, err := h265.ParseSPS(nal)
			if err != nil {
				return true
			}
			v, c := &p.VUI, p.Crop()
			s.Width, s.Height, s.Color = c.Width, c.Height, p.Color()
			s.SAR = media.Rational{Num: int32(v.SarWidth), Den: int32(v.SarHeight)}
			if s.FrameRate = rate; v.VuiTimingInfoPresentFlag {
				s.FrameRate = ratio(uint64(v.VuiTimeScale), uint64(v.VuiNumUnitsInTick))
			}
			s.Format = format(p.ChromaFormatIdc, p.BitDepthLumaMinus8)
			found = true
			return false
		}
		return true
	})
	return found
}

func (*hevc) key(unit []byte) (key, idr bool) {
	nals(unit, func(nal []byte) bool {
		if len(nal) < 2 {
			return true
		}
		t := h265.NALType(nal[0] >> 1 & 63)
		key, idr = t.IRAP(), t.IDR()
		return !t.VCL()
	})
	return key, idr
}

func (*hevc) set(nal []byte) (kind byte, slice bool) {
	if len(nal) < 2 {
		return 0, false
	}
	switch t := h265.NALType(nal[0] >> 1 & 63); t {
	case h265.NALVPS, h265.NALSPS, h265.NALPPS:
		return byte(t), false
	default:
		return 0, t.VCL()
	}
}

// ratio is num/den where both fit.
func ratio(num, den uint64) media.Rational {
	for num > 1<<31-1 || den > 1<<31-1 {
		num, den = num>>1, den>>1
	}
	if num == 0 || den == 0 {
		return media.Rational{}
	}
	return media.Rational{Num: int32(num), Den: int32(den)}.Reduce()
}

// format is the pixel format that a software decoder makes of the stream.
func format(chroma, depthMinus8 uint8) media.PixelFormat {
	table := map[uint8][4]media.PixelFormat{
		0: {media.Gray8, media.I420, media.I422, media.I444},
		2: {media.Gray10, media.I010, media.I210, media.I410},
	}
	return table[depthMinus8][chroma&3]
}
