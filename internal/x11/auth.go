package x11

import (
	"encoding/binary"
	"strconv"
	"strings"
)

// place is where a display's server listens on this machine.
type place struct {
	number string // of the display
	paths  []string
}

// parseDisplay reads a display's name, such as ":0", ":99.0" or "unix:1"; false for servers
// on other machines, and for names that are none.
func parseDisplay(name string) (p place, ok bool) {
	host, rest, ok := strings.Cut(name, ":")
	if !ok || host != "" && host != "unix" {
		return p, false
	}
	number, screen, hasScreen := strings.Cut(rest, ".")
	if _, err := strconv.ParseUint(number, 10, 16); err != nil {
		return p, false
	}
	if _, err := strconv.ParseUint(screen, 10, 16); hasScreen && err != nil {
		return p, false
	}
	path := "/tmp/.X11-unix/X" + number
	return place{number, []string{"@" + path, path}}, true // "@": Linux's abstract names
}

const cookieName = "MIT-MAGIC-COOKIE-1"

// Families of addresses in an authority file.
const (
	familyLocal = 256
	familyWild  = 65535
)

// cookie finds the key to a display of this machine in an authority file; nil when there is
// none.
func cookie(file []byte, host, number string) []byte {
	var second []byte
	for len(file) >= 2 {
		family := binary.BigEndian.Uint16(file)
		file = file[2:]
		var field [4][]byte // address, display, name, data
		for i := range field {
			var ok bool
			if field[i], file, ok = counted(file); !ok {
				return second
			}
		}
		if string(field[2]) != cookieName || len(field[1]) > 0 && string(field[1]) != number {
			continue
		}
		switch {
		case family == familyLocal && string(field[0]) == host, family == familyWild:
			return field[3]
		case family == familyLocal && second == nil:
			second = field[3] // the machine was renamed since
		}
	}
	return second
}

// counted takes a field with its length in front.
func counted(b []byte) (field, rest []byte, ok bool) {
	if len(b) < 2 {
		return nil, nil, false
	}
	n := int(binary.BigEndian.Uint16(b))
	if b = b[2:]; len(b) < n {
		return nil, nil, false
	}
	return b[:n], b[n:], true
}
