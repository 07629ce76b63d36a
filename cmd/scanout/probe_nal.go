package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"

	"github.com/scanout-av/scanout/decode/bitstream"
	"github.com/scanout-av/scanout/decode/bitstream/av1"
	avc "github.com/scanout-av/scanout/decode/bitstream/h264"
	hevc "github.com/scanout-av/scanout/decode/bitstream/h265"
	"github.com/scanout-av/scanout/decode/bitstream/vp9"
	"github.com/scanout-av/scanout/ingest/file"
	"github.com/scanout-av/scanout/media"
)

// nalUnits is an access unit of probe --nal: in JSON one object a line.
type nalUnits struct {
	Unit     int          `json:"unit"`
	PTS      *float64     `json:"pts_s,omitempty"`
	NALs     []nalUnit    `json:"nal"`
	Pictures []nalPicture `json:"pictures,omitempty"`
	Error    string       `json:"error,omitempty"`
}

// nalUnit is a NAL unit; Header has the syntax elements that are not 0.
type nalUnit struct {
	Offset int      `json:"offset"`
	Size   int      `json:"size"`
	Type   int      `json:"type"`
	Name   string   `json:"name"`
	Header elements `json:"header,omitempty"`
	Lists  [][]int  `json:"lists,omitempty"` // order counts of the reference lists
	Error  string   `json:"error,omitempty"`
}

// nalPicture is what the decoding process says of a picture.
type nalPicture struct {
	ID          bitstream.PictureID `json:"id"`
	Kind        string              `json:"kind"`
	POC         int                 `json:"poc"`
	Reference   bool                `json:"reference"`
	NonExisting bool                `json:"non_existing,omitempty"`
	NewSequence string              `json:"new_sequence,omitempty"`
	Slot        int                 `json:"slot"`
	Slots       int                 `json:"dpb_slots"`
	Refs        []nalRef            `json:"refs,omitempty"`
	Output      []nalOutput         `json:"output,omitempty"`
	Freed       []int               `json:"freed,omitempty"`
	Missing     elements            `json:"missing,omitempty"`
	Corrupt     bool                `json:"corrupt,omitempty"`
	Unsupported string              `json:"unsupported,omitempty"`

	headers map[int]nalUnit // by the offset of the NAL unit
}

type nalRef struct {
	ID          bitstream.PictureID `json:"id"`
	Slot        int                 `json:"slot"`
	POC         int                 `json:"poc"`
	LongTerm    bool                `json:"long_term,omitempty"`
	NonExisting bool                `json:"non_existing,omitempty"`
}

type nalOutput struct {
	ID  bitstream.PictureID `json:"id"`
	POC int32               `json:"poc"`
}

// nalCodec is one coding standard of probe --nal.
type nalCodec interface {
	// next finds the first unit at or behind pos.
	next(data []byte, pos int) (bitstream.NAL, bool)
	describe(nal []byte) (kind int, name string, header any, err error)
	decode(unit []byte) ([]nalPicture, error)
	flush() []bitstream.Output
	splitter() bufio.SplitFunc
}

// probeNAL prints the NAL units of media, their headers and what becomes of the decoded
// picture buffer.
func probeNAL(env *environment, name string, asJSON bool) error {
	next, codec, done, err := openNAL(env.ctx, name)
	if err != nil {
		return mediaError{err}
	}
	defer done()
	out := bufio.NewWriter(env.out)
	defer out.Flush()
	j := json.NewEncoder(out)
	for i := 0; ; i++ {
		data, pts, err := next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return mediaError{err}
		}
		if _, err := out.Write(nil); err != nil {
			return err // nobody reads any more
		}
		u := examine(codec, data)
		u.Unit, u.PTS = i, pts
		if asJSON {
			if err := j.Encode(&u); err != nil {
				return err
			}
		} else {
			u.print(out)
		}
		if env.ctx.Err() != nil {
			return env.ctx.Err()
		}
	}
	last := nalPicture{Kind: "end of the stream", Output: outputs(codec.flush())}
	if asJSON {
		if err := j.Encode(map[string]any{"end": true, "output": last.Output}); err != nil {
			return err
		}
	} else if len(last.Output) > 0 {
		fmt.Fprintf(out, "end of the stream: shows%s\n", last.shows())
	}
	return out.Flush()
}

// openNAL opens a raw stream by itself, so that no FFmpeg is needed, and everything else
// by the file source. next returns access units.
func openNAL(ctx context.Context, name string) (next func() ([]byte, *float64, error), codec nalCodec, done func(), err error) {
	if f, err := os.Open(name); err == nil {
		head := make([]byte, 64)
		n, _ := io.ReadFull(f, head)
		if codec = rawCodec(head[:n]); codec != nil {
			if _, err := f.Seek(0, io.SeekStart); err != nil {
				f.Close()
				return nil, nil, nil, err
			}
			sc := bufio.NewScanner(f)
			sc.Buffer(make([]byte, 0, 1<<20), 1<<28)
			sc.Split(codec.splitter())
			return func() ([]byte, *float64, error) {
				if sc.Scan() {
					return sc.Bytes(), nil, nil
				}
				if sc.Err() != nil {
					return nil, nil, sc.Err()
				}
				return nil, nil, io.EOF
			}, codec, func() { f.Close() }, nil
		}
		f.Close()
	}
	src, err := file.Open(ctx, file.Config{URL: name})
	if err != nil {
		return nil, nil, nil, err
	}
	for _, s := range src.Info().Streams {
		if s.Kind != media.KindVideo || s.CoverArt {
			continue
		}
		if codec, err = newNALCodec(s.Codec, s.ExtraData); err != nil {
			src.Close()
			return nil, nil, nil, err
		}
		src.Select(s.Index)
		var au media.AccessUnit
		return func() ([]byte, *float64, error) {
			au.Release()
			if err := src.Read(&au); err != nil {
				return nil, nil, err
			}
			if au.PTS == media.NoTimestamp {
				return au.Data, nil, nil
			}
			pts := au.Timebase.Duration(au.PTS).Seconds()
			return au.Data, &pts, nil
		}, codec, func() { au.Release(); src.Close() }, nil
	}
	src.Close()
	return nil, nil, nil, fmt.Errorf("%s has no video: --nal needs H.264, H.265, AV1 or VP9", name)
}

func newNALCodec(c media.Codec, extra []byte) (nalCodec, error) {
	switch c {
	case "h264":
		d, err := avc.NewDecoder(avc.Config{ExtraData: extra})
		return &nalH264{d: d}, err
	case "hevc":
		d, err := hevc.NewDecoder(hevc.Config{ExtraData: extra})
		return &nalH265{d: d}, err
	case "av1":
		d, err := av1.NewDecoder(av1.Config{ExtraData: extra})
		return &nalAV1{d: d}, err
	case "vp9":
		return &nalVP9{d: vp9.NewDecoder()}, nil
	}
	return nil, fmt.Errorf("--nal needs H.264, H.265, AV1 or VP9, and this is %s: %w", c, media.ErrNotSupported)
}

// rawCodec knows a raw stream by its first unit, nil for none.
func rawCodec(head []byte) nalCodec {
	if bytes.HasPrefix(head, []byte{byte(av1.OBUTemporalDelimiter)<<3 | 2, 0}) {
		c, _ := newNALCodec("av1", nil)
		return c
	}
	if !bytes.HasPrefix(head, []byte{0, 0, 1}) && !bytes.HasPrefix(head, []byte{0, 0, 0, 1}) {
		return nil
	}
	n, ok, _ := bitstream.Framing{}.Next(head, 0)
	if !ok || n.Len() < 2 {
		return nil
	}
	b := n.Bytes(head)
	var c nalCodec
	switch t := hevc.NALType(b[0] >> 1); {
	case b[1] == 1 && (t >= hevc.NALVPS && t <= hevc.NALAUD || t == hevc.PrefixSEI): // layer 0, temporal sub-layer 0
		c, _ = newNALCodec("hevc", nil)
	default:
		switch b[0] & 0x9f {
		case avc.NALSPS, avc.NALPPS, avc.NALAUD, avc.NALSEI, avc.NALSlice, avc.NALIDR:
			c, _ = newNALCodec("h264", nil)
		}
	}
	return c
}

// examine takes an access unit apart.
func examine(c nalCodec, data []byte) (u nalUnits) {
	pictures, err := c.decode(data)
	if err != nil {
		u.Error = err.Error()
	}
	u.Pictures = pictures
	for pos := 0; ; {
		n, ok := c.next(data, pos)
		if !ok {
			return u
		}
		pos = n.After()
		var unit nalUnit
		for i := range pictures {
			if h, ok := pictures[i].headers[n.Begin]; ok {
				unit = h
			}
		}
		kind, name, header, err := c.describe(n.Bytes(data))
		unit.Offset, unit.Size, unit.Type, unit.Name = n.Begin, n.Len(), kind, name
		if err != nil {
			unit.Error = err.Error()
		} else if header != nil {
			unit.Header = elementsOf(header)
		}
		u.NALs = append(u.NALs, unit)
	}
}

func (u *nalUnits) print(w *bufio.Writer) {
	fmt.Fprintf(w, "access unit %d", u.Unit)
	if u.PTS != nil {
		fmt.Fprintf(w, ", %.6g s", *u.PTS)
	}
	fmt.Fprintln(w)
	for _, n := range u.NALs {
		fmt.Fprintf(w, "  @%d %s (%d), %d bytes", n.Offset, n.Name, n.Type, n.Size)
		for _, e := range n.Header {
			fmt.Fprintf(w, " %s=%v", e.name, e.value)
		}
		for l, pocs := range n.Lists {
			fmt.Fprintf(w, " list%d=%v", l, pocs)
		}
		if n.Error != "" {
			fmt.Fprintf(w, ": %s", n.Error)
		}
		fmt.Fprintln(w)
	}
	for i := range u.Pictures {
		fmt.Fprintf(w, "  %s\n", u.Pictures[i].line())
	}
	if u.Error != "" {
		fmt.Fprintf(w, "  error: %s\n", u.Error)
	}
}

func (p *nalPicture) line() string {
	var b strings.Builder
	fmt.Fprintf(&b, "picture %d: %s, POC %d, slot %d of %d", p.ID, p.Kind, p.POC, p.Slot, p.Slots)
	if !p.Reference {
		b.WriteString(", no reference")
	}
	if p.NewSequence != "" {
		fmt.Fprintf(&b, ", new sequence %s", p.NewSequence)
	}
	if len(p.Refs) > 0 {
		b.WriteString(", references")
		for _, r := range p.Refs {
			fmt.Fprintf(&b, " %d:POC %d", r.Slot, r.POC)
			if r.LongTerm {
				b.WriteString(" long")
			}
			if r.NonExisting {
				b.WriteString(" non-existing")
			}
		}
	}
	if len(p.Output) > 0 {
		b.WriteString(", shows" + p.shows())
	}
	if len(p.Freed) > 0 {
		fmt.Fprintf(&b, ", frees %v", p.Freed)
	}
	for _, m := range p.Missing {
		fmt.Fprintf(&b, ", missing %s=%v", m.name, m.value)
	}
	if p.Corrupt {
		b.WriteString(", CORRUPT")
	}
	if p.Unsupported != "" {
		fmt.Fprintf(&b, ", %s", p.Unsupported)
	}
	return b.String()
}

func (p *nalPicture) shows() string {
	var b strings.Builder
	for _, o := range p.Output {
		fmt.Fprintf(&b, " %d (POC %d)", o.ID, o.POC)
	}
	return b.String()
}

func outputs(list []bitstream.Output) (out []nalOutput) {
	for _, o := range list {
		out = append(out, nalOutput{o.ID, o.PicOrderCnt})
	}
	return out
}

func slots(s bitstream.Slots) (out []int) {
	for i := range 32 {
		if s.Has(i) {
			out = append(out, i)
		}
	}
	return out
}

// element is a syntax element that is not 0.
type element struct {
	name  string
	value any
}

// elements are the syntax elements of a structure in their order.
type elements []element

// MarshalJSON writes an object that keeps the order.
func (e elements) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, x := range e {
		v, err := json.Marshal(x.value)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, "%q:%s", x.name, v)
	}
	return append(b, '}'), nil
}

// elementsOf lists the fields of a structure that are not 0; arrays end with their last
// such element, and fields of structures within stand beside the others.
func elementsOf(v any) (out elements) {
	s := reflect.Indirect(reflect.ValueOf(v))
	for i := range s.NumField() {
		f, sf := s.Field(i), s.Type().Field(i)
		if !sf.IsExported() || f.IsZero() {
			continue
		}
		switch f.Kind() {
		case reflect.Struct:
			out = append(out, elementsOf(f.Interface())...)
		case reflect.Array:
			n := f.Len()
			for n > 0 && f.Index(n-1).IsZero() {
				n--
			}
			list := make([]any, n)
			for k := range list {
				if list[k] = f.Index(k).Interface(); f.Index(k).Kind() == reflect.Struct {
					list[k] = elementsOf(list[k])
				} else if f.Index(k).Kind() == reflect.Array {
					list[k] = trimmed(f.Index(k))
				}
			}
			out = append(out, element{sf.Name, list})
		default:
			out = append(out, element{sf.Name, f.Interface()})
		}
	}
	return out
}

// trimmed is an array without what is 0 at its end.
func trimmed(v reflect.Value) (out []any) {
	n := v.Len()
	for n > 0 && v.Index(n-1).IsZero() {
		n--
	}
	for i := range n {
		if e := v.Index(i); e.Kind() == reflect.Struct {
			out = append(out, elementsOf(e.Interface()))
		} else {
			out = append(out, e.Interface())
		}
	}
	return out
}

// String is for people: name=value, separated by spaces, in braces.
func (e elements) String() string {
	var b strings.Builder
	b.WriteByte('{')
	for i, x := range e {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%s=%v", x.name, x.value)
	}
	b.WriteByte('}')
	return b.String()
}
