//go:build amd64 && !purego

package yuv

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"os"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"unsafe"
)

// An interpreter of the generated kernels: AVX-512 is checked on machines without it.
// It reads and writes real memory, so guard pages work, too.

type operand struct {
	kind byte // 'i' immediate, 'g' general register, 'v' vector, 'k' mask, 'm' memory
	n    int  // register, or a memory operand's base (−1 for FP)
	size int  // of a vector register
	imm  uint64
}

type instruction struct {
	op   string
	args []operand
	jump int
}

// program is one TEXT of kernels_amd64.s.
type program struct{ code []instruction }

var general = []string{"AX", "CX", "DX", "BX", "SI", "DI", "R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15"}

func parseOperand(s string) (operand, error) {
	reg := func(s string) int {
		for i, g := range general {
			if s == g {
				return i
			}
		}
		return -1
	}
	if i, ok := strings.CutPrefix(s, "$"); ok {
		v, err := strconv.ParseInt(i, 0, 64)
		if err != nil {
			u, err := strconv.ParseUint(i, 0, 64)
			return operand{kind: 'i', imm: u}, err
		}
		return operand{kind: 'i', imm: uint64(v)}, nil
	}
	if at := strings.IndexByte(s, '('); at >= 0 {
		disp, base := s[:at], strings.TrimSuffix(s[at+1:], ")")
		if plus := strings.IndexByte(disp, '+'); plus >= 0 { // name+8(FP)
			disp = disp[plus+1:]
		}
		var d int64
		if disp != "" {
			var err error
			if d, err = strconv.ParseInt(disp, 0, 64); err != nil {
				return operand{}, err
			}
		}
		if base != "FP" && reg(base) < 0 {
			return operand{}, fmt.Errorf("base %s", base)
		}
		return operand{kind: 'm', n: reg(base), imm: uint64(d)}, nil
	}
	if g := reg(s); g >= 0 {
		return operand{kind: 'g', n: g}, nil
	}
	n, err := strconv.Atoi(s[1:])
	if s[0] == 'K' {
		return operand{kind: 'k', n: n}, err
	}
	size := map[byte]int{'X': 16, 'Y': 32, 'Z': 64}[s[0]]
	if size == 0 {
		return operand{}, fmt.Errorf("operand %s", s)
	}
	return operand{kind: 'v', n: n, size: size}, err
}

// programs reads every kernel.
func programs(t *testing.T) map[string]*program {
	f, err := os.Open("kernels_amd64.s")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all := map[string]*program{}
	var p *program
	labels, pending := map[string]int{}, map[int]string{}
	for s := bufio.NewScanner(f); s.Scan(); {
		line := strings.TrimSpace(s.Text())
		switch {
		case strings.HasPrefix(line, "TEXT "):
			p = &program{}
			clear(labels)
			all[line[len("TEXT ·"):strings.IndexByte(line, '(')]] = p
			continue
		case p == nil || line == "" || strings.HasPrefix(line, "//"):
			continue
		case strings.HasSuffix(line, ":"):
			labels[strings.TrimSuffix(line, ":")] = len(p.code)
			continue
		}
		op, rest, _ := strings.Cut(line, " ")
		in := instruction{op: op, jump: -1}
		if op == "JG" {
			pending[len(p.code)] = strings.TrimSpace(rest)
			in.jump = labels[strings.TrimSpace(rest)]
		} else if rest = strings.TrimSpace(rest); rest != "" {
			for _, a := range strings.Split(rest, ",") {
				o, err := parseOperand(strings.TrimSpace(a))
				if err != nil {
					t.Fatalf("%s: %v", line, err)
				}
				in.args = append(in.args, o)
			}
		}
		p.code = append(p.code, in)
	}
	return all
}

type vector = [64]byte

// cpu is the state that kernels see.
type cpu struct {
	g     [16]uint64
	v     [32]vector
	k     [8]uint64
	frame [8]uint64
	last  int64 // what the flags tell of
}

// address is where a memory operand lies. Not inlined: Go 1.26's compiler fails on that.
//
//go:noinline
func (c *cpu) address(o operand) unsafe.Pointer {
	a := uintptr(c.g[o.n] + o.imm)
	return *(*unsafe.Pointer)(unsafe.Pointer(&a))
}

func (c *cpu) load(o operand, size int) (v vector) {
	if o.kind == 'v' {
		copy(v[:size], c.v[o.n][:size])
	} else {
		copy(v[:size], unsafe.Slice((*byte)(c.address(o)), size))
	}
	return
}

// store writes a vector; a register's upper part becomes 0.
func (c *cpu) store(o operand, v vector, size int) {
	if o.kind == 'v' {
		clear(c.v[o.n][:])
		copy(c.v[o.n][:size], v[:size])
	} else {
		copy(unsafe.Slice((*byte)(c.address(o)), size), v[:size])
	}
}

func w16(v *vector, i int) uint16        { return binary.LittleEndian.Uint16(v[2*i:]) }
func put16(v *vector, i int, x int)      { binary.LittleEndian.PutUint16(v[2*i:], uint16(x)) }
func w32(v *vector, i int) uint32        { return binary.LittleEndian.Uint32(v[4*i:]) }
func put32(v *vector, i int, x uint32)   { binary.LittleEndian.PutUint32(v[4*i:], x) }
func saturate(x, low, high int) int      { return min(max(x, low), high) }
func signed(v *vector, i int) int        { return int(int16(w16(v, i))) }
func (c *cpu) fail(in instruction) error { return fmt.Errorf("the interpreter has no %v", in) }

// words16 are instructions that work word by word: second operand (op) first operand.
var words16 = map[string]func(a, b uint16) int{
	"VPAVGW":    func(a, b uint16) int { return (int(a) + int(b) + 1) >> 1 },
	"VPMULLW":   func(a, b uint16) int { return int(a * b) },
	"VPADDW":    func(a, b uint16) int { return int(a + b) },
	"VPADDSW":   func(a, b uint16) int { return saturate(int(int16(a))+int(int16(b)), -32768, 32767) },
	"VPMULHUW":  func(a, b uint16) int { return int(uint32(a) * uint32(b) >> 16) },
	"VPMULHW":   func(a, b uint16) int { return int(int16(a)) * int(int16(b)) >> 16 },
	"VPMULHRSW": func(a, b uint16) int { return (int(int16(a))*int(int16(b))>>14 + 1) >> 1 },
}

// unpacks are the bytes of an element and where in a lane they are taken from.
var unpacks = map[string][2]int{"VPUNPCKLBW": {1, 0}, "VPUNPCKHBW": {1, 8}, "VPUNPCKLWD": {2, 0}, "VPUNPCKHWD": {2, 8},
	"VPUNPCKLQDQ": {8, 0}, "VPUNPCKHQDQ": {8, 8}}

func (c *cpu) run(p *program) error {
	for pc := 0; pc < len(p.code); pc++ {
		in := p.code[pc]
		a := in.args
		var dst operand
		size := 0
		if len(a) > 0 {
			dst = a[len(a)-1]
			if size = dst.size; dst.kind == 'm' && a[0].kind == 'v' {
				size = a[0].size
			}
		}
		var r vector
		switch in.op {
		case "RET":
			return nil
		case "VZEROUPPER", "PREFETCHT0": // nothing that a program sees
			continue
		case "JG":
			if c.last > 0 {
				pc = in.jump - 1
			}
			continue
		case "MOVQ":
			switch {
			case a[0].kind == 'm' && a[0].n < 0:
				c.g[dst.n] = c.frame[a[0].imm/8]
			case a[0].kind == 'i':
				c.g[dst.n] = a[0].imm
			default:
				return c.fail(in)
			}
			continue
		case "ADDQ":
			c.g[dst.n] += a[0].imm
			c.last = int64(c.g[dst.n])
			continue
		case "SUBQ":
			c.g[dst.n] -= a[0].imm
			c.last = int64(c.g[dst.n])
			continue
		case "KMOVQ":
			c.k[dst.n] = c.g[a[0].n]
			continue
		case "KMOVW":
			c.k[dst.n] = c.g[a[0].n] & 0xffff
			continue
		case "VMOVDQU", "VMOVDQU64", "VMOVNTDQ":
			if in.op == "VMOVNTDQ" && uintptr(c.address(dst))%uintptr(size) != 0 {
				return fmt.Errorf("%v is not aligned", in)
			}
			r = c.load(a[0], size)
		case "VMOVQ":
			r, size = c.load(a[0], 8), 8
		case "VMOVDQU32": // masked store
			v := c.load(a[0], size)
			for i := range size / 4 {
				if c.k[a[1].n]>>i&1 == 1 {
					copy(unsafe.Slice((*byte)(unsafe.Add(c.address(dst), 4*i)), 4), v[4*i:4*i+4])
				}
			}
			continue
		case "VPOR":
			x, y := c.load(a[0], size), c.load(a[1], size)
			for i := range size {
				r[i] = x[i] | y[i]
			}
		case "VPMADDUBSW": // signed and unsigned bytes
			x, y := c.load(a[0], size), c.load(a[1], size)
			for i := range size / 2 {
				put16(&r, i, saturate(int(int8(x[2*i]))*int(y[2*i])+int(int8(x[2*i+1]))*int(y[2*i+1]), -32768, 32767))
			}
		case "VPBLENDW":
			x, y := c.load(a[1], size), c.load(a[2], size)
			for i := range size / 2 {
				from := &y
				if a[0].imm>>(i&7)&1 == 1 {
					from = &x
				}
				put16(&r, i, int(w16(from, i)))
			}
		case "VPERMT2B":
			second, by, first := c.load(a[0], size), c.load(a[1], size), c.load(dst, size)
			for i := range size {
				if at := by[i] & 127; at < 64 {
					r[i] = first[at]
				} else {
					r[i] = second[at-64]
				}
			}
		case "VPXOR", "VPXORQ":
			x, y := c.load(a[0], size), c.load(a[1], size)
			for i := range size {
				r[i] = x[i] ^ y[i]
			}
		case "VBROADCASTI128":
			x := c.load(a[0], 16)
			for i := range size {
				r[i] = x[i&15]
			}
		case "VINSERTI64X4":
			r = c.load(a[2], 64)
			x := c.load(a[1], 32)
			copy(r[32*a[0].imm:], x[:32])
		case "VEXTRACTI128":
			x := c.load(a[1], 32)
			copy(r[:16], x[16*a[0].imm:])
		case "VPMOVZXBW":
			x := c.load(a[0], size/2)
			for i := range size / 2 {
				r[2*i] = x[i]
			}
		case "VPSLLW", "VPSRAW":
			x := c.load(a[1], size)
			for i := range size / 2 {
				if in.op == "VPSLLW" {
					put16(&r, i, int(w16(&x, i))<<a[0].imm)
				} else {
					put16(&r, i, signed(&x, i)>>a[0].imm)
				}
			}
		case "VPSHUFB":
			by, x := c.load(a[0], size), c.load(a[1], size)
			for i := range size {
				if by[i] < 0x80 {
					r[i] = x[i&^15+int(by[i]&15)]
				}
			}
		case "VPERMD":
			x, by := c.load(a[0], size), c.load(a[1], size)
			for i := range size / 4 {
				put32(&r, i, w32(&x, int(w32(&by, i))&(size/4-1)))
			}
		case "VPERMQ":
			var by func(i int) int
			if a[0].kind == 'i' {
				order := a[0].imm
				by = func(i int) int { return int(order >> (2 * i) & 3) }
				a = a[1:]
			} else {
				idx := c.load(a[1], size)
				by = func(i int) int { return int(idx[8*i]) & (size/8 - 1) }
			}
			x := c.load(a[0], size)
			for i := range size / 8 {
				copy(r[8*i:8*i+8], x[8*by(i):])
			}
		case "VPERMB.Z":
			x, by := c.load(a[0], size), c.load(a[1], size)
			for i := range size {
				if c.k[a[2].n]>>i&1 == 1 {
					r[i] = x[by[i]&63]
				}
			}
		case "VPERMI2W":
			second, first, by := c.load(a[0], size), c.load(a[1], size), c.load(dst, size)
			for i := range size / 2 {
				at := int(w16(&by, i)) & 63
				if at < 32 {
					put16(&r, i, int(w16(&first, at)))
				} else {
					put16(&r, i, int(w16(&second, at-32)))
				}
			}
		case "VPACKUSWB":
			hi, lo := c.load(a[0], size), c.load(a[1], size)
			for lane := 0; lane < size; lane += 16 {
				for i := range 8 {
					r[lane+i] = byte(saturate(signed(&lo, lane/2+i), 0, 255))
					r[lane+8+i] = byte(saturate(signed(&hi, lane/2+i), 0, 255))
				}
			}
		default:
			x, y := c.load(a[0], size), c.load(a[1], size)
			if f, ok := words16[in.op]; ok {
				for i := range size / 2 {
					put16(&r, i, f(w16(&y, i), w16(&x, i)))
				}
			} else if u, ok := unpacks[in.op]; ok {
				for lane := 0; lane < size; lane += 16 {
					for i := 0; i < 8; i += u[0] {
						copy(r[lane+2*i:], y[lane+u[1]+i:][:u[0]])
						copy(r[lane+2*i+u[0]:], x[lane+u[1]+i:][:u[0]])
					}
				}
			} else {
				return c.fail(in)
			}
		}
		c.store(dst, r, size)
	}
	return fmt.Errorf("no RET")
}

// interpret replaces c's kernels by their interpretation.
func interpret(t *testing.T, all map[string]*program, c *Converter) {
	wrap := func(k kernel) kernel {
		name := runtime.FuncForPC(reflect.ValueOf(k).Pointer()).Name()
		name = strings.TrimSuffix(name[strings.LastIndexByte(name, '.')+1:], ".abi0")
		p := all[name]
		if p == nil {
			t.Fatalf("kernels_amd64.s has no %s", name)
		}
		return func(d0, d1, y0, y1, u, v *byte, n int, k *byte) {
			m := new(cpu)
			for i, a := range []*byte{d0, d1, y0, y1, u, v} {
				m.frame[i] = uint64(uintptr(unsafe.Pointer(a)))
			}
			m.frame[6], m.frame[7] = uint64(n), uint64(uintptr(unsafe.Pointer(k)))
			if err := m.run(p); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			runtime.KeepAlive([]*byte{d0, d1, y0, y1, u, v, k})
		}
	}
	for i := range c.steps {
		s := &c.steps[i]
		s.run, s.nt, s.near, s.row = wrap(s.run), wrap(s.nt), wrap(s.near), wrap(s.row)
	}
}
