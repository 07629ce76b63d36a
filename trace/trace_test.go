package trace

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scanout-av/scanout/media"
)

// sample is a frame that was shown, one that was dropped, and one that nobody saw.
func sample(i int) []Event {
	at := media.Instant(1e12 + i*16_666_667)
	ms := func(n int) media.Instant { return at.Add(time.Duration(n) * time.Millisecond) }
	return []Event{
		{Number: uint64(2*i + 1), Serial: 2, PTS: time.Duration(i) * 16_666_667, Received: at, Assembled: ms(1), Decoded: ms(5), Due: ms(20), Target: ms(21),
			Submitted: ms(12), Actual: ms(22), Refresh: 16_666_667, Source: media.PresentWayland, Sequence: 1<<32 + uint64(i), Missed: 1, Behind: 2},
		{PTS: time.Duration(i) * 16_666_667, Received: at, Decoded: ms(5), Due: ms(6), Reason: media.DropOutpaced, At: ms(9), Behind: 1},
		{Number: uint64(2*i + 2), PTS: -5, Decoded: ms(5), Submitted: ms(6), Discarded: true, Reanchored: true, Source: media.PresentSimulated},
	}
}

func record(t testing.TB, events []Event) []byte {
	t.Helper()
	var b bytes.Buffer
	r, err := New(Config{Writer: &b, Name: "a \"name\"\n"})
	if err != nil {
		t.Fatal(err)
	}
	for i := range events {
		r.Add(&events[i])
		if i%100 == 99 {
			if err := r.Drain(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRoundTrip(t *testing.T) {
	var events []Event
	for i := range 200 {
		events = append(events, sample(i)...)
	}
	text := record(t, events)
	if !json.Valid(text) {
		t.Fatal("not valid JSON")
	}
	got, err := Read(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, events) {
		t.Errorf("%d of %d events come back, the first as %+v", len(got), len(events), got[0])
	}
	// What Perfetto wants: each stage begins and ends.
	var file struct {
		TraceEvents []struct {
			Name, Cat, Ph string
			ID            uint64
			Ts            float64
		}
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	open := map[string]float64{}
	for _, e := range file.TraceEvents {
		key := e.Name + string(rune(e.ID))
		switch e.Ph {
		case "b":
			open[key] = e.Ts
		case "e":
			if from, ok := open[key]; !ok || e.Ts <= from {
				t.Fatalf("stage %s of frame %d ends at %v and begins at %v", e.Name, e.ID, e.Ts, from)
			}
			delete(open, key)
		}
	}
	if len(open) > 0 {
		t.Errorf("%d stages do not end", len(open))
	}
}

func TestEmpty(t *testing.T) {
	got, err := Read(bytes.NewReader(record(t, nil)))
	if err != nil || len(got) != 0 {
		t.Errorf("%d events, %v", len(got), err)
	}
}

// TestFull adds more than there is room for: the rest is lost and counted, in the file as
// well.
func TestFull(t *testing.T) {
	var b bytes.Buffer
	r, err := New(Config{Writer: &b, Events: 10})
	if err != nil {
		t.Fatal(err)
	}
	e := sample(0)[0]
	for range 25 {
		r.Add(&e)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := Read(&b); len(got) != 10 || err != nil || r.Lost() != 15 {
		t.Errorf("%d written, %d lost, %v", len(got), r.Lost(), err)
	}
}

func TestAddAllocatesNothing(t *testing.T) {
	r, err := New(Config{Writer: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	e := sample(0)[0]
	for range batchSize {
		r.Add(&e)
	}
	if err := r.Drain(); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(1000, func() {
		for range batchSize / 2 {
			r.Add(&e)
		}
		if r.Drain() != nil {
			t.Fail()
		}
	}); n != 0 {
		t.Errorf("%v allocations for %d events", n, batchSize/2)
	}
}

type fullDisk struct{}

var errFull = errors.New("no space left")

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

func TestWriteError(t *testing.T) {
	r, err := New(Config{Writer: fullDisk{}})
	if err != nil {
		t.Fatal(err)
	}
	e := sample(0)[0]
	r.Add(&e)
	if err := r.Close(); !errors.Is(err, errFull) {
		t.Errorf("got %v", err)
	}
	if _, err := New(Config{}); err == nil {
		t.Error("a recorder without a writer was made")
	}
	if _, err := New(Config{Writer: io.Discard, Events: -1}); err == nil {
		t.Error("a recorder without room was made")
	}
}

var badTraces = []string{"", "[]", "{}", `{"traceEvents":{}}`, `{"a":[1,{"b":2}],"traceEvents":[]}`, `{"traceEvents":[{"ph":"i","args":{"scanout":1,"pts":"x"}}]}`,
	`{"traceEvents":[{"ph":"i","args":{"scanout":1}},`, `{"traceEvents":[1]}`, `{"traceEvents":[{"ph":"i","args":[]}]}`}

func TestReadBad(t *testing.T) {
	for _, s := range badTraces {
		events, err := Read(strings.NewReader(s))
		if good := strings.HasPrefix(s, `{"a"`); (err == nil) != good {
			t.Errorf("%q: %v", s, err)
		}
		if strings.HasSuffix(s, ",") && (len(events) != 1 || !errors.Is(err, io.ErrUnexpectedEOF)) {
			t.Errorf("a trace that is cut off: %d events, %v", len(events), err)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, s := range badTraces {
		f.Add([]byte(s))
	}
	f.Add(record(f, sample(3)))
	f.Fuzz(func(t *testing.T, b []byte) {
		events, err := Read(bytes.NewReader(b))
		if err != nil {
			return
		}
		again, err := Read(bytes.NewReader(record(t, events)))
		if err != nil || !slices.Equal(again, events) {
			t.Errorf("what was read is not what is read again: %v", err)
		}
	})
}
