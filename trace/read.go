package trace

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/scanout-av/scanout/media"
)

// maxEvents bounds what Read takes: a day of 120 fps would be ten million frames.
const maxEvents = 1 << 24

// fields are the arguments of a frame's mark.
type fields struct {
	Scanout   int    `json:"scanout"`
	Number    uint64 `json:"number"`
	Serial    uint32 `json:"serial"`
	PTS       int64  `json:"pts"`
	Received  int64  `json:"received"`
	Assembled int64  `json:"assembled"`
	Decoded   int64  `json:"decoded"`
	Due       int64  `json:"due"`
	Target    int64  `json:"target"`
	Submitted int64  `json:"submitted"`
	Actual    int64  `json:"actual"`
	Refresh   int64  `json:"refresh"`
	Sequence  uint64 `json:"sequence"`
	Missed    int    `json:"missed"`
	Behind    int    `json:"behind"`
	At        int64  `json:"at"`
	Discarded bool   `json:"discarded"`
	Anew      bool   `json:"reanchored"`
	Source    string `json:"source"`
	Reason    string `json:"reason"`
}

// Read returns the frames of a trace in the order in which their fate was known.
// Errors: what is not JSON of the format. A trace that was cut off, because the program was
// killed, gives what there is together with io.ErrUnexpectedEOF.
func Read(r io.Reader) ([]Event, error) {
	d := json.NewDecoder(r)
	if err := findEvents(d); err != nil {
		return nil, fmt.Errorf("trace: not a trace of scanout: %w", err)
	}
	var all []Event
	for d.More() {
		var line struct {
			Ph   string          `json:"ph"`
			Args json.RawMessage `json:"args"`
		}
		if err := d.Decode(&line); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return all, fmt.Errorf("trace: after %d frames: %w", len(all), err)
		}
		if line.Ph != "i" || len(line.Args) == 0 {
			continue
		}
		var f fields
		if err := json.Unmarshal(line.Args, &f); err != nil {
			return all, fmt.Errorf("trace: frame %d: %w", len(all)+1, err)
		}
		if f.Scanout == 0 {
			continue
		}
		if len(all) == maxEvents {
			return all, fmt.Errorf("trace: more than %d frames", maxEvents)
		}
		all = append(all, f.event())
	}
	if _, err := d.Token(); err != nil { // the end of the list
		return all, fmt.Errorf("trace: after %d frames: %w", len(all), io.ErrUnexpectedEOF)
	}
	return all, nil
}

// findEvents moves to the first element of "traceEvents".
func findEvents(d *json.Decoder) error {
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return fmt.Errorf("it does not begin with an object")
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		if key != "traceEvents" {
			var skip json.RawMessage
			if err := d.Decode(&skip); err != nil {
				return err
			}
			continue
		}
		if t, err := d.Token(); err != nil || t != json.Delim('[') {
			return fmt.Errorf("its events are no list")
		}
		return nil
	}
	return fmt.Errorf("it has no events")
}

func (f *fields) event() Event {
	e := Event{Number: f.Number, Serial: f.Serial, PTS: time.Duration(f.PTS),
		Received: media.Instant(f.Received), Assembled: media.Instant(f.Assembled), Decoded: media.Instant(f.Decoded),
		Due: media.Instant(f.Due), Target: media.Instant(f.Target), Submitted: media.Instant(f.Submitted), Actual: media.Instant(f.Actual),
		Refresh: time.Duration(f.Refresh), Sequence: f.Sequence, Missed: f.Missed, Behind: f.Behind, At: media.Instant(f.At), Discarded: f.Discarded, Reanchored: f.Anew}
	for s := media.PresentUnknown; s <= media.PresentImmediate; s++ {
		if s.String() == f.Source {
			e.Source = s
		}
	}
	for r := range media.NumDropReasons {
		if r.String() == f.Reason {
			e.Reason = r
		}
	}
	return e
}
