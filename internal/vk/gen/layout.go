package main

import (
	"bytes"
	"fmt"
	"log"
	"strconv"
	"strings"
)

// field is a Go field: a member, or a word of bit-fields.
type field struct {
	variable
	goName string
	goType string
	offset int
	bits   []bitField
}

type bitField struct {
	name         string
	shift, width int
}

var primitiveSizes = map[string]int{"uint8": 1, "int8": 1, "byte": 1, "uint16": 2, "int16": 2, "uint32": 4, "int32": 4,
	"float32": 4, "Bool32": 4, "uint64": 8, "int64": 8, "float64": 8, "uintptr": 8}

// layout lays struct t out by C's rules, which on 64-bit targets are Go's, too. Bit-fields
// fill 32-bit words from the low bit, as every compiler that matters does.
func (r *registry) layout(t *typeInfo) (fields []field, size, align int) {
	used := 32 // bits of the current word
	for _, m := range t.members {
		if m.bits > 0 {
			if s, _ := r.size(m.typ); s != 4 {
				log.Fatalf("%s.%s: a bit-field of %s", t.name, m.name, m.typ)
			}
			if used+m.bits > 32 {
				fields = append(fields, field{goName: fmt.Sprintf("Bits%d", countWords(fields)), goType: "uint32", offset: size})
				size, align, used = roundUp(size, 4)+4, max(align, 4), 0
				fields[len(fields)-1].offset = size - 4
			}
			f := &fields[len(fields)-1]
			f.bits = append(f.bits, bitField{m.name, used, m.bits})
			used += m.bits
			continue
		}
		used = 32
		s, a := r.memberSize(m)
		size = roundUp(size, a)
		fields = append(fields, field{variable: m, goName: goName(m.name), goType: r.goType(m), offset: size})
		size += s
		align = max(align, a)
	}
	return fields, roundUp(size, align), align
}

func countWords(f []field) (n int) {
	for i := range f {
		if f[i].bits != nil {
			n++
		}
	}
	return n
}

func roundUp(n, a int) int { return (n + a - 1) / a * a }

func (r *registry) memberSize(m variable) (size, align int) {
	size, align = 8, 8
	if m.stars == 0 {
		size, align = r.size(m.typ)
	}
	for _, d := range m.dims {
		size *= r.dim(d)
	}
	return size, align
}

func (r *registry) size(name string) (size, align int) {
	if p := primitives[name]; p != "" {
		return primitiveSizes[p], primitiveSizes[p]
	}
	t := r.types[name]
	if t == nil {
		log.Fatalf("size of unknown type %s", name)
	}
	if t.alias != "" {
		return r.size(t.alias)
	}
	switch t.category {
	case "enum":
		if g := r.groups[name]; g != nil && g.attr["bitwidth"] == "64" {
			return 8, 8
		}
		return 4, 4
	case "bitmask":
		return r.size(t.n.kid("type").inner())
	case "handle", "funcpointer":
		return 8, 8
	case "union":
		for _, m := range t.members {
			s, a := r.memberSize(m)
			size, align = max(size, s), max(align, a)
		}
		return roundUp(size, align), align
	case "struct":
		_, size, align = r.layout(t)
		return size, align
	}
	log.Fatalf("size of %s, a %s", name, t.category)
	return 0, 0
}

func (r *registry) dim(s string) int {
	if v, ok := r.constants[s]; ok {
		s = strings.TrimRight(v, "U")
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		log.Fatalf("array size %q: %v", s, err)
	}
	return n
}

// layoutAsserts writes constants that overflow, and so fail to compile, when a size or
// an offset is not what C's rules say.
func (e *emitter) layoutAsserts(w *bytes.Buffer) {
	fmt.Fprint(w, "import \"unsafe\"\n\n// Handles and pointers are passed in one register: 64-bit targets only.\nconst _ = -(unsafe.Sizeof(uintptr(0)) ^ 8)\n\n")
	for _, t := range e.selection.types {
		if t.alias != "" || t.category != "struct" && t.category != "union" {
			continue
		}
		n := typeName(t.name)
		size, _ := e.size(t.name)
		fmt.Fprintf(w, "const _ = -(unsafe.Sizeof(*(*%s)(nil)) ^ %d)\n", n, size)
		if t.category == "struct" {
			fields, _, _ := e.layout(t)
			for _, f := range fields[min(1, len(fields)):] {
				fmt.Fprintf(w, "const _ = -(unsafe.Offsetof(%s{}.%s) ^ %d)\n", n, f.goName, f.offset)
			}
		}
	}
}

// layoutTable writes what the test compares with a C compiler.
func (e *emitter) layoutTable(w *bytes.Buffer) {
	fmt.Fprint(w, "import \"unsafe\"\n\nvar layouts = []layout{\n")
	for _, t := range e.selection.types {
		if t.alias != "" || t.category != "struct" && t.category != "union" {
			continue
		}
		n := typeName(t.name)
		fmt.Fprintf(w, "{%q, unsafe.Sizeof(*(*%s)(nil)), []member{\n", t.name, n)
		if t.category == "struct" {
			fields, _, _ := e.layout(t)
			for _, f := range fields {
				for _, b := range f.bits {
					fmt.Fprintf(w, "{%q, 0, func() []byte { x := new(%s); x.Set%s(^uint32(0)); return unsafe.Slice((*byte)(unsafe.Pointer(x)), unsafe.Sizeof(*x)) }},\n", b.name, n, goName(b.name))
				}
				if f.bits == nil {
					fmt.Fprintf(w, "{%q, unsafe.Offsetof(%s{}.%s), nil},\n", f.name, n, f.goName)
				}
			}
		}
		fmt.Fprint(w, "}},\n")
	}
	fmt.Fprint(w, "}\n\nvar values = []value{\n")
	for _, t := range e.selection.types {
		if t.category == "enum" && t.alias == "" {
			for _, x := range e.enumerants(t.name) {
				fmt.Fprintf(w, "{%q, int64(%s)},\n", x.name, constName(x.name))
			}
		}
	}
	fmt.Fprint(w, "}\n")
}
