package uring

import (
	"encoding/binary"
	"testing"
)

func recvmsgOut(name, control, payload, flags uint32, rest ...byte) []byte {
	b := make([]byte, 0, RecvmsgHeader+len(rest))
	for _, v := range []uint32{name, control, payload, flags} {
		b = binary.NativeEndian.AppendUint32(b, v)
	}
	return append(b, rest...)
}

func TestParseRecvmsg(t *testing.T) {
	for _, tt := range []struct {
		name                 string
		b                    []byte
		nameRoom, ctlRoom    int
		wantN, wantC, wantP  string
		truncated, malformed bool
	}{
		{"all parts", recvmsgOut(2, 1, 3, 0, []byte("nn__c_ppp")...), 4, 2, "nn", "c", "ppp", false, false},
		{"no payload", recvmsgOut(2, 0, 0, 0, []byte("nn")...), 2, 0, "nn", "", "", false, false},
		{"flagged as cut", recvmsgOut(0, 0, 3, msgTrunc, []byte("ppp")...), 0, 0, "", "", "ppp", true, false},
		{"longer than the buffer", recvmsgOut(0, 0, 9, 0, []byte("ppp")...), 0, 0, "", "", "ppp", true, false},
		{"name longer than its room", recvmsgOut(1<<31, 0, 1, 0, []byte("nnp")...), 2, 0, "nn", "", "p", false, false},
		{"control longer than its room", recvmsgOut(0, 1<<31, 1, 0, []byte("ccp")...), 0, 2, "", "cc", "p", false, false},
		{"short", make([]byte, 15), 0, 0, "", "", "", false, true},
		{"without its rooms", recvmsgOut(0, 0, 0, 0), 1, 0, "", "", "", false, true},
		{"negative room", recvmsgOut(0, 0, 0, 0), -1, 0, "", "", "", false, true},
	} {
		m, ok := ParseRecvmsg(tt.b, tt.nameRoom, tt.ctlRoom)
		if ok == tt.malformed || string(m.Name) != tt.wantN || string(m.Control) != tt.wantC || string(m.Payload) != tt.wantP || m.Truncated != tt.truncated {
			t.Errorf("%s: %+v, %v", tt.name, m, ok)
		}
	}
}

func FuzzParseRecvmsg(f *testing.F) {
	f.Add(recvmsgOut(2, 1, 3, 0, []byte("nn__c_ppp")...), 4, 2)
	f.Add(recvmsgOut(1<<31, 1<<31, 1<<31, 1<<31), 0, 0)
	f.Add([]byte{}, 28, 64)
	f.Fuzz(func(t *testing.T, b []byte, nameRoom, controlRoom int) {
		if nameRoom > 1<<20 || controlRoom > 1<<20 {
			return
		}
		m, ok := ParseRecvmsg(b, nameRoom, controlRoom)
		if ok && RecvmsgHeader+len(m.Name)+len(m.Control)+len(m.Payload) > len(b) {
			t.Errorf("parts of %d+%d+%d bytes out of %d", len(m.Name), len(m.Control), len(m.Payload), len(b))
		}
	})
}
