package avtest

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

// TraceUnit is a header as FFmpeg's trace_headers bitstream filter reads it.
type TraceUnit struct {
	Name   string // "Slice Header"
	Packet int    // number of the packet it is in
	Fields []TraceField
}

// TraceField is a syntax element: "luma_offset_l0[1]" has Name "luma_offset_l0" and
// Index [1].
type TraceField struct {
	Name  string
	Index []int
	Value int64
	Bit   int // position in the unit
}

// Get returns the first value of a syntax element without index.
func (u *TraceUnit) Get(name string) (int64, bool) {
	for i := range u.Fields {
		if u.Fields[i].Name == name {
			return u.Fields[i].Value, true
		}
	}
	return 0, false
}

// TraceHeaders returns the headers of the packets of a file's video, those of the
// container left out.
func TraceHeaders(t testing.TB, path string) (units []TraceUnit) {
	t.Helper()
	_, msg := FFmpeg(t, "-loglevel", "info", "-i", path, "-map", "0:v:0", "-c", "copy", "-bsf:v", "trace_headers", "-f", "null", "-")
	packet := -1
	for line := range strings.Lines(string(msg)) {
		who, what, ok := strings.Cut(strings.TrimRight(line, "\r\n"), "] ")
		if !ok || !strings.HasPrefix(who, "[trace_headers @") {
			continue
		}
		if strings.HasPrefix(what, "Packet:") {
			packet++
			continue
		}
		if packet < 0 {
			continue // extradata
		}
		f := strings.Fields(what)
		bit, err := strconv.Atoi(f[0])
		if err != nil {
			units = append(units, TraceUnit{Name: what, Packet: packet})
			continue
		}
		if len(units) == 0 || len(f) < 3 {
			t.Fatalf("trace_headers printed %q", what)
		}
		field := TraceField{Bit: bit}
		name, rest, _ := strings.Cut(f[1], "[")
		field.Name = name
		for rest != "" {
			if rest[0] == '.' { // a part of an array's element
				field.Name += rest
				break
			}
			var n string
			n, rest, _ = strings.Cut(rest, "]")
			i, err := strconv.Atoi(n)
			if err != nil {
				t.Fatalf("trace_headers printed %q", what)
			}
			field.Index = append(field.Index, i)
			rest = strings.TrimPrefix(rest, "[")
		}
		if field.Value, err = strconv.ParseInt(f[len(f)-1], 10, 64); err != nil {
			t.Fatalf("trace_headers printed %q", what)
		}
		u := &units[len(units)-1]
		u.Fields = append(u.Fields, field)
	}
	if len(units) == 0 {
		t.Skip("needs an ffmpeg with the trace_headers bitstream filter")
	}
	return units
}

// Key is the name of the field in [Flatten]'s map.
func (f *TraceField) Key() string {
	k := Plain(f.Name)
	for _, i := range f.Index {
		k += fmt.Sprintf("[%d]", i)
	}
	return k
}

// Plain takes case and underscores from a name: log2_max_frame_num_minus4 and
// Log2MaxFrameNumMinus4 become the same.
func Plain(name string) string { return strings.ToLower(strings.ReplaceAll(name, "_", "")) }

// Flatten returns the numbers and flags of a struct by their plain names; array elements
// have an index, and fields of structs within no prefix. Of two fields of one name that
// counts which is not 0: a stream has the one or the other.
func Flatten(v any) map[string]int64 {
	m := map[string]int64{}
	flatten(m, "", reflect.Indirect(reflect.ValueOf(v)))
	return m
}

func flatten(m map[string]int64, name string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				flatten(m, Plain(f.Name), v.Field(i))
			}
		}
	case reflect.Array:
		for i := range v.Len() {
			flatten(m, fmt.Sprintf("%s[%d]", name, i), v.Index(i))
		}
	case reflect.Bool:
		if m[name] |= 0; v.Bool() {
			m[name] = 1
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		m[name] |= v.Int()
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		m[name] |= int64(v.Uint())
	}
}
