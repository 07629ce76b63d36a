package main

import (
	"bytes"
	"fmt"
	"go/token"
	"slices"
	"sort"
	"strings"
)

type emitter struct {
	*registry
	selection *selection
}

func typeName(c string) string  { return strings.TrimPrefix(c, "Vk") }
func constName(c string) string { return strings.TrimPrefix(c, "VK_") }

// goName exports a member's name: sType → SType, seq_parameter_set_id → SeqParameterSetId.
func goName(s string) string {
	var b strings.Builder
	for p := range strings.SplitSeq(s, "_") {
		if p != "" {
			b.WriteString(strings.ToUpper(p[:1]) + p[1:])
		}
	}
	return b.String()
}

func (r *registry) goType(m variable) string {
	s := ""
	for _, d := range m.dims {
		s += fmt.Sprintf("[%d]", r.dim(d))
	}
	return s + r.pointerType(m.typ, m.stars)
}

func (r *registry) pointerType(typ string, stars int) string {
	t := primitives[typ]
	if t == "" {
		if r.types[typ] != nil {
			t = typeName(typ)
		} else if stars > 0 { // void or a foreign type
			t, stars = "unsafe.Pointer", stars-1
		} else {
			t = "uintptr"
		}
	}
	return strings.Repeat("*", stars) + t
}

func (e *emitter) types(w *bytes.Buffer) {
	fmt.Fprint(w, "import \"unsafe\"\n\n")
	for _, t := range e.selection.types {
		n := typeName(t.name)
		if t.alias != "" {
			fmt.Fprintf(w, "type %s = %s\n\n", n, typeName(t.alias))
			continue
		}
		switch t.category {
		case "handle":
			if strings.Contains(t.n.inner(), "NON_DISPATCHABLE") {
				fmt.Fprintf(w, "// %s is a handle.\ntype %s uint64\n\n", n, n)
			} else {
				fmt.Fprintf(w, "// %s is a dispatchable handle.\ntype %s uintptr\n\n", n, n)
			}
		case "funcpointer":
			fmt.Fprintf(w, "// %s is the address of a C function.\ntype %s uintptr\n\n", n, n)
		case "union":
			e.union(w, t)
		case "struct":
			e.structure(w, t)
		}
	}
}

func (e *emitter) union(w *bytes.Buffer, t *typeInfo) {
	size, align := e.size(t.name)
	n := typeName(t.name)
	fmt.Fprintf(w, "// %s is a union; its methods give the members.\ntype %s [%d]uint%d\n\n", n, n, size/align, 8*align)
	for _, m := range t.members {
		g := e.goType(m)
		fmt.Fprintf(w, "func (u *%s) %s() *%s { return (*%s)(unsafe.Pointer(u)) }\n", n, goName(m.name), g, g)
	}
	fmt.Fprintln(w)
}

func (e *emitter) structure(w *bytes.Buffer, t *typeInfo) {
	n := typeName(t.name)
	fields, _, _ := e.layout(t)
	fmt.Fprintf(w, "type %s struct {\n", n)
	for _, f := range fields {
		fmt.Fprintf(w, "%s %s\n", f.goName, f.goType)
	}
	fmt.Fprint(w, "}\n\n")
	for _, f := range fields {
		for _, b := range f.bits {
			mask := uint64(1)<<b.width - 1
			fmt.Fprintf(w, "func (s *%s) %s() uint32 { return s.%s >> %d & %#x }\n", n, goName(b.name), f.goName, b.shift, mask)
			fmt.Fprintf(w, "func (s *%s) Set%s(v uint32) { s.%s = s.%s&^(%#x<<%d) | v&%#x<<%d }\n", n, goName(b.name), f.goName, f.goName, mask, b.shift, mask, b.shift)
		}
	}
	if len(t.members) > 0 && t.members[0].name == "sType" && t.members[0].values != "" {
		fmt.Fprintf(w, "// SType%s is what %s.SType must hold.\nconst SType%s = %s\n\n", n, n, n, constName(t.members[0].values))
	}
}

// enumerants returns the values of an enumeration that the selection has.
func (e *emitter) enumerants(group string) (s []enumerant) {
	seen := map[string]bool{}
	for _, x := range e.registry.enumerants[group] {
		if !seen[x.name] && (e.selection.extension[x.extension] || group == "VkResult") {
			seen[x.name] = true
			s = append(s, x)
		}
	}
	return s
}

// named are enumerations with a String method.
var named = []string{"VkResult", "VkFormat", "VkPhysicalDeviceType", "VkPresentModeKHR", "VkColorSpaceKHR", "VkDriverId"}

func (e *emitter) enums(w *bytes.Buffer) {
	masks := map[string]string{} // flag bits → bitmask
	for _, t := range e.selection.types {
		if t.category == "bitmask" && t.alias == "" {
			if b := flagBits(t); b != "" {
				masks[b] = t.name
			}
		}
	}
	fmt.Fprint(w, "import \"strconv\"\n\n// Constants of the API.\nconst (\n")
	for _, n := range e.order {
		v := e.constants[n]
		if (strings.HasPrefix(n, "VK_") || strings.HasPrefix(n, "STD_")) && v != "" && !strings.ContainsRune(v, '.') {
			v = strings.NewReplacer("(", "", ")", "", "~0ULL", "^uint64(0)", "~1U", "^uint32(1)", "~2U", "^uint32(2)", "~0U", "^uint32(0)").Replace(v)
			fmt.Fprintf(w, "%s = %s\n", constName(n), v)
		}
	}
	fmt.Fprint(w, ")\n\n// Names of extensions.\nconst (\n")
	for _, x := range e.selection.extensions {
		fmt.Fprintf(w, "%s_EXTENSION_NAME = %q\n", strings.ToUpper(constName(x)), x)
	}
	fmt.Fprint(w, ")\n\n")
	for _, t := range e.selection.types {
		n := typeName(t.name)
		if t.alias != "" {
			continue
		}
		switch t.category {
		case "bitmask":
			bits := "32"
			if t.n.kid("type").inner() == "VkFlags64" {
				bits = "64"
			}
			fmt.Fprintf(w, "// %s is a set of flags.\ntype %s uint%s\n\n", n, n, bits)
		case "enum":
			if m := masks[t.name]; m != "" {
				fmt.Fprintf(w, "// %s is one flag of [%s].\ntype %s = %s\n\n", n, typeName(m), n, typeName(m))
			} else if g := e.groups[t.name]; g != nil && g.attr["type"] == "bitmask" {
				fmt.Fprintf(w, "// %s is a flag.\ntype %s uint%s\n\n", n, n, map[bool]string{true: "64", false: "32"}[g.attr["bitwidth"] == "64"])
			} else {
				fmt.Fprintf(w, "// %s is an enumeration.\ntype %s int32\n\n", n, n)
			}
			e.values(w, t)
		}
	}
}

func (e *emitter) values(w *bytes.Buffer, t *typeInfo) {
	n := typeName(t.name)
	xs := e.enumerants(t.name)
	if len(xs) == 0 {
		return
	}
	fmt.Fprintf(w, "// Values of %s.\nconst (\n", n)
	for _, x := range xs {
		fmt.Fprintf(w, "%s %s = %s\n", constName(x.name), n, x.value)
	}
	fmt.Fprint(w, ")\n\n")
	if !slices.Contains(named, t.name) {
		return
	}
	fmt.Fprintf(w, "func (v %s) String() string {\nswitch v {\n", n)
	for _, x := range xs {
		fmt.Fprintf(w, "case %s: return %q\n", constName(x.name), x.name)
	}
	fmt.Fprintf(w, "}\nreturn %q + strconv.Itoa(int(v)) + \")\"\n}\n\n", n+"(")
}

// level is the table that a command belongs to, by its first parameter.
func level(c *command) string {
	if c.name == "vkGetDeviceProcAddr" {
		return "Instance" // what finds a device's commands must be found first
	}
	switch c.params[0].typ {
	case "VkInstance", "VkPhysicalDevice":
		return "Instance"
	case "VkDevice", "VkQueue", "VkCommandBuffer":
		return "Device"
	}
	return "Global"
}

func (e *emitter) commands(w *bytes.Buffer) {
	fmt.Fprint(w, "import (\n\"runtime\"\n\"unsafe\"\n\n\"github.com/scanout-av/scanout/internal/dl\"\n)\n\n")
	for _, l := range []string{"Global", "Instance", "Device"} {
		var fields, names bytes.Buffer
		for _, c := range e.selection.commands {
			if level(c) != l {
				continue
			}
			fmt.Fprintf(&fields, "Pfn%s uintptr\n", strings.TrimPrefix(c.name, "vk"))
			sort.Strings(c.aliases)
			fmt.Fprintf(&names, "{")
			for _, n := range append([]string{c.name}, c.aliases...) {
				fmt.Fprintf(&names, "%q,", n)
			}
			fmt.Fprintf(&names, "},\n")
		}
		fmt.Fprintf(w, "// %sCommands holds the addresses of commands; one that the implementation does not\n// have is 0.\ntype %sCommands struct {\n%s}\n\n", l, l, fields.String())
		fmt.Fprintf(w, "// %sNames are the commands' names and aliases in the order of the fields.\nvar %sNames = [...][]string{\n%s}\n\n", strings.ToLower(l), strings.ToLower(l), names.String())
	}
	for _, c := range e.selection.commands {
		e.wrapper(w, c)
	}
}

func (e *emitter) wrapper(w *bytes.Buffer, c *command) {
	n := strings.TrimPrefix(c.name, "vk")
	var params, args, keep []string
	for _, p := range c.params {
		name := p.name
		if token.IsKeyword(name) || name == "c" || name == "t" {
			name += "_"
		}
		p.stars += len(p.dims)
		g := e.pointerType(p.typ, p.stars)
		params = append(params, name+" "+g)
		switch {
		case g == "unsafe.Pointer":
			args = append(args, "dl.Addr((*byte)("+name+"))")
			keep = append(keep, name)
		case g[0] == '*':
			args = append(args, "dl.Addr("+name+")")
			keep = append(keep, name)
		default:
			args = append(args, "uintptr("+name+")")
		}
	}
	result := e.pointerType(c.result, 0)
	if c.result == "void" {
		result = ""
	}
	fmt.Fprintf(w, "func (t *%sCommands) %s(c *dl.Caller, %s) %s {\n", level(c), n, strings.Join(params, ", "), result)
	call := fmt.Sprintf("c.Call(t.Pfn%s, %s)", n, strings.Join(args, ", "))
	if result != "" {
		call = fmt.Sprintf("r := %s(%s)", result, call)
	}
	fmt.Fprintln(w, call)
	for _, k := range keep {
		fmt.Fprintf(w, "runtime.KeepAlive(%s)\n", k)
	}
	if result != "" {
		fmt.Fprintln(w, "return r")
	}
	fmt.Fprint(w, "}\n\n")
}
