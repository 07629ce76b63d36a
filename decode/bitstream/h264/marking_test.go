package h264

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/scanout-av/scanout/decode/bitstream"
	"github.com/scanout-av/scanout/internal/avtest"
)

// refState is what FFmpeg says before it decodes a picture.
type refState struct {
	poc  [2]int // modulo 65536: FFmpeg begins at 65536
	refs []string
}

var sliceLine = regexp.MustCompile(`^slice:(\d+) \S+ mb:\d+ .* frame:(\d+) poc:(-?\d+)/(-?\d+) `)

// ffmpegMarking reads order counts and reference lists from the log of FFmpeg's decoder.
func ffmpegMarking(t *testing.T, path string) (states []refState) {
	var short, long []string
	into := &short
	for _, line := range avtest.DecoderLog(t, path, "mmco+pict") {
		var i, fn, poc int
		switch {
		case line == "short term list:":
			short, into = nil, &short
		case line == "long term list:":
			long, into = nil, &long
		case strings.HasPrefix(line, "slice:"):
			m := sliceLine.FindStringSubmatch(line)
			if m == nil {
				t.Fatalf("FFmpeg says %q", line)
			}
			if m[1] != "1" {
				continue
			}
			var s refState
			for i := range s.poc {
				v, _ := strconv.Atoi(m[3+i])
				s.poc[i] = v & 0xffff
			}
			if strings.Contains(line, "IDR") {
				short, long = nil, nil
			}
			s.refs = append(slices.Clone(short), long...)
			slices.Sort(s.refs)
			states = append(states, s)
		default:
			if n, _ := fmt.Sscanf(line, "%d fn:%d poc:%d", &i, &fn, &poc); n != 3 {
				continue
			}
			if into == &long {
				long = append(long, fmt.Sprintf("long %d poc %d", i, poc&0xffff))
			} else {
				short = append(short, fmt.Sprintf("short %d poc %d", fn, poc&0xffff))
			}
		}
	}
	if len(states) == 0 {
		t.Skip("needs an ffmpeg whose H.264 decoder logs with -debug mmco+pict")
	}
	return states
}

// checkMarking compares order counts and which pictures are used for reference with
// FFmpeg's decoder, and lists with a second way to build them.
func checkMarking(t *testing.T, path string, data []byte) {
	want := ffmpegMarking(t, path)
	d, err := NewDecoder(Config{})
	if err != nil {
		t.Fatal(err)
	}
	n, entries := 0, 0
	// FFmpeg keeps the order count that a picture had before its operation 5.
	before5 := map[bitstream.PictureID]int32{}
	for _, au := range accessUnits(t, data) {
		pics, _ := d.Decode(au)
		for i := range pics {
			p := &pics[i]
			for j := range p.Slices {
				entries += checkLists(t, p, &p.Slices[j])
			}
			if p.NonExisting {
				continue
			}
			if n == len(want) {
				t.Fatalf("more than FFmpeg's %d pictures", n)
			}
			w := want[n]
			n++
			if got := [2]int{int(p.PicOrderCnt[0]) & 0xffff, int(p.PicOrderCnt[1]) & 0xffff}; got != w.poc {
				t.Errorf("picture %d: order count %v, FFmpeg has %v", n-1, got, w.poc)
			}
			if p.MMCO5 {
				before5[p.ID] = min(p.PicOrderCnt[0], p.PicOrderCnt[1])
			}
			var refs []string
			for _, r := range p.Refs {
				poc := int(r.poc()) & 0xffff
				if b, ok := before5[r.ID]; ok {
					poc = int(b) & 0xffff
				}
				if r.NonExisting { // FFmpeg gives it the order count of a frame that it repeats
					name := fmt.Sprintf("short %d", r.FrameNum)
					refs = append(refs, name)
					for i, f := range w.refs {
						if strings.HasPrefix(f, name+" ") {
							w.refs[i] = name
						}
					}
					continue
				}
				if r.LongTerm {
					refs = append(refs, fmt.Sprintf("long %d poc %d", r.LongTermFrameIdx, poc))
				} else {
					refs = append(refs, fmt.Sprintf("short %d poc %d", r.FrameNum, poc))
				}
			}
			slices.Sort(refs)
			slices.Sort(w.refs)
			if !slices.Equal(refs, w.refs) {
				t.Errorf("picture %d (frame_num %d): references\n%v, FFmpeg has\n%v", n-1, p.FrameNum, refs, w.refs)
			}
		}
	}
	if n != len(want) {
		t.Errorf("%d pictures, FFmpeg has %d", n, len(want))
	}
	t.Logf("%d pictures, %d list entries", n, entries)
}

// checkLists builds the lists of a slice by the letter of 8.2.4, with sorting and with
// lists that are one too long, and compares. It returns how many entries there are.
func checkLists(t *testing.T, p *Picture, s *Slice) (entries int) {
	t.Helper()
	h := &s.Header
	var short, long []*Ref
	for i := range p.Refs {
		if r := &p.Refs[i]; r.LongTerm {
			long = append(long, r)
		} else {
			short = append(short, r)
		}
	}
	slices.SortFunc(long, func(a, b *Ref) int { return cmp.Compare(a.LongTermFrameIdx, b.LongTermFrameIdx) })
	cur := min(p.PicOrderCnt[0], p.PicOrderCnt[1])
	var initial [2][]*Ref
	switch h.SliceType {
	case SliceP, SliceSP:
		slices.SortFunc(short, func(a, b *Ref) int { return cmp.Compare(b.FrameNumWrap, a.FrameNumWrap) })
		initial[0] = append(short, long...)
	case SliceB:
		if p.SPS.PicOrderCntType == 0 {
			short = slices.DeleteFunc(short, func(r *Ref) bool { return r.NonExisting })
		}
		slices.SortFunc(short, func(a, b *Ref) int { return cmp.Compare(a.poc(), b.poc()) })
		var before, after []*Ref
		for _, r := range short {
			if r.poc() <= cur {
				before = append(before, r)
			} else {
				after = append(after, r)
			}
		}
		slices.Reverse(before)
		initial[0] = slices.Concat(before, after, long)
		initial[1] = slices.Concat(after, before, long)
		if len(initial[1]) > 1 && slices.Equal(initial[0], initial[1]) {
			initial[1][0], initial[1][1] = initial[1][1], initial[1][0]
		}
	}
	for l, active := range h.NumRefIdxActive {
		list := make([]*Ref, int(active)+1)
		copy(list[:active], initial[l])
		modifyByTheLetter(list, short, long, h.Modifications[l][:h.NumModifications[l]], int(h.FrameNum), int(p.SPS.MaxFrameNum()))
		for i, want := range list[:active] {
			entries++
			var got *Ref
			if e := s.RefPicList[l][i]; e >= 0 {
				got = &p.Refs[e]
			}
			if got != want {
				t.Errorf("picture %d, list %d, entry %d: %+v, want %+v", p.ID, l, i, got, want)
			}
		}
	}
	return entries
}

// modifyByTheLetter is 8.2.4.3 as its pseudo-code has it: (8-34) to (8-38).
func modifyByTheLetter(list, short, long []*Ref, commands []ListModification, currPicNum, maxPicNum int) {
	picNumPred, refIdx := currPicNum, 0
	picNumF := func(r *Ref) int {
		if r != nil && !r.LongTerm {
			return int(r.FrameNumWrap)
		}
		return maxPicNum
	}
	longTermPicNumF := func(r *Ref) int {
		if r != nil && r.LongTerm {
			return int(r.LongTermFrameIdx)
		}
		return 1 << 20
	}
	n := len(list) - 1
	for _, c := range commands {
		num, key, from := int(c.Value), longTermPicNumF, long
		if c.ModificationOfPicNumsIdc < 2 {
			key, from = picNumF, short
			noWrap := picNumPred
			if c.ModificationOfPicNumsIdc == 0 {
				if noWrap -= num + 1; noWrap < 0 {
					noWrap += maxPicNum
				}
			} else if noWrap += num + 1; noWrap >= maxPicNum {
				noWrap -= maxPicNum
			}
			picNumPred = noWrap
			if num = noWrap; noWrap > currPicNum {
				num -= maxPicNum
			}
		}
		var pic *Ref
		for _, r := range from {
			if key(r) == num {
				pic = r
			}
		}
		for c := n; c > refIdx; c-- {
			list[c] = list[c-1]
		}
		list[refIdx] = pic
		refIdx++
		to := refIdx
		for c := refIdx; c <= n; c++ {
			if key(list[c]) != num {
				list[to] = list[c]
				to++
			}
		}
	}
}
