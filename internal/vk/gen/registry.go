package main

import (
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// node is an XML element, or text when name is empty.
type node struct {
	name, text string
	attr       map[string]string
	kids       []*node
}

func parse(path string) (*node, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	d := xml.NewDecoder(f)
	stack := []*node{{}}
	for {
		t, err := d.Token()
		if err == io.EOF {
			return stack[0], nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		top := stack[len(stack)-1]
		switch t := t.(type) {
		case xml.StartElement:
			n := &node{name: t.Name.Local, attr: map[string]string{}}
			for _, a := range t.Attr {
				n.attr[a.Name.Local] = a.Value
			}
			top.kids = append(top.kids, n)
			stack = append(stack, n)
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		case xml.CharData:
			top.kids = append(top.kids, &node{text: string(t)})
		}
	}
}

func (n *node) walk(f func(*node)) {
	f(n)
	for _, k := range n.kids {
		k.walk(f)
	}
}

// inner is n's text without comments.
func (n *node) inner() string {
	if n.name == "comment" {
		return ""
	}
	s := n.text
	for _, k := range n.kids {
		s += k.inner()
	}
	return s
}

func (n *node) kid(name string) *node {
	for _, k := range n.kids {
		if k.name == name {
			return k
		}
	}
	return &node{}
}

// ours reports whether n belongs to desktop Vulkan (and not to Vulkan SC only).
func (n *node) ours() bool {
	a := n.attr["api"]
	if a == "" {
		return true
	}
	for s := range strings.SplitSeq(a, ",") {
		if s == "vulkan" {
			return true
		}
	}
	return false
}

// variable is a member of a struct or a parameter of a command.
type variable struct {
	name, typ, values string
	stars             int
	dims              []string
	bits              int
}

type typeInfo struct {
	name, category, alias string
	members               []variable
	n                     *node
}

type command struct {
	name, result string
	params       []variable
	aliases      []string
}

type enumerant struct{ name, value, extension string }

type extension struct {
	name            string
	types, commands []string
}

type registry struct {
	version    string
	types      map[string]*typeInfo
	groups     map[string]*node // enums elements by name
	enumerants map[string][]enumerant
	constants  map[string]string // API constants and array sizes
	order      []string          // names of constants
	commands   map[string]*command
	aliases    map[string]string // command alias → name
	extensions map[string]*extension
}

func readRegistry(paths ...string) (*registry, error) {
	r := &registry{types: map[string]*typeInfo{}, groups: map[string]*node{}, enumerants: map[string][]enumerant{},
		constants: map[string]string{}, commands: map[string]*command{}, aliases: map[string]string{}, extensions: map[string]*extension{}}
	for _, p := range paths {
		root, err := parse(p)
		if err != nil {
			return nil, err
		}
		root.walk(r.read)
	}
	for a, n := range r.aliases {
		if c := r.commands[n]; c != nil {
			c.aliases = append(c.aliases, a)
		}
	}
	return r, nil
}

func (r *registry) read(n *node) {
	if !n.ours() {
		return
	}
	switch n.name {
	case "type":
		r.readType(n)
	case "enums":
		r.readEnums(n)
	case "command":
		if n.attr["alias"] != "" {
			r.aliases[n.attr["name"]] = n.attr["alias"]
			return
		}
		p := n.kid("proto")
		if p.name == "" {
			return // a reference
		}
		c := &command{name: p.kid("name").inner(), result: p.kid("type").inner()}
		for _, k := range n.kids {
			if k.name == "param" && k.ours() {
				c.params = append(c.params, readVariable(k))
			}
		}
		r.commands[c.name] = c
	case "feature":
		if n.attr["number"] != "" {
			r.readRequires(n, "", "")
		}
	case "extension":
		s := n.attr["supported"]
		if s != "" && s != "disabled" && strings.Contains(s, "vulkan") || n.attr["number"] == "" {
			r.readRequires(n, n.attr["name"], n.attr["number"])
		}
	}
}

func (r *registry) readType(n *node) {
	name := n.attr["name"]
	if name == "" {
		name = n.kid("name").inner()
	}
	if name == "" {
		name = n.kid("proto").kid("name").inner()
	}
	t := &typeInfo{name: name, category: n.attr["category"], alias: n.attr["alias"], n: n}
	switch {
	case name == "VK_HEADER_VERSION" && t.category == "define":
		f := strings.Fields(n.inner())
		r.version = f[len(f)-1]
		return
	case t.category == "" || t.category == "define" || t.category == "include":
		return
	}
	for _, k := range n.kids {
		if k.name == "member" && k.ours() {
			t.members = append(t.members, readVariable(k))
		}
	}
	r.types[name] = t
}

func readVariable(k *node) variable {
	full := k.inner()
	v := variable{name: k.kid("name").inner(), typ: k.kid("type").inner(), values: k.attr["values"], stars: strings.Count(full, "*")}
	rest := full
	for {
		_, after, ok := strings.Cut(rest, "[")
		if !ok {
			break
		}
		var d string
		d, rest, _ = strings.Cut(after, "]")
		v.dims = append(v.dims, d)
	}
	if i := strings.LastIndexByte(full, ':'); i >= 0 {
		v.bits, _ = strconv.Atoi(strings.TrimSpace(full[i+1:]))
	}
	return v
}

func (r *registry) readEnums(n *node) {
	group := n.attr["name"]
	r.groups[group] = n
	for _, k := range n.kids {
		if k.name != "enum" || k.attr["alias"] != "" || !k.ours() {
			continue
		}
		v := k.attr["value"]
		if b := k.attr["bitpos"]; b != "" {
			v = "1 << " + b
		}
		if t := n.attr["type"]; t != "enum" && t != "bitmask" {
			r.constant(k.attr["name"], v)
			continue
		}
		r.enumerants[group] = append(r.enumerants[group], enumerant{k.attr["name"], v, ""})
	}
}

func (r *registry) constant(name, value string) {
	if _, ok := r.constants[name]; !ok {
		r.order = append(r.order, name)
	}
	r.constants[name] = value
}

func (r *registry) readRequires(n *node, ext, number string) {
	x := &extension{name: ext}
	for _, req := range n.kids {
		if req.name != "require" || !req.ours() {
			continue
		}
		for _, k := range req.kids {
			if !k.ours() {
				continue
			}
			switch k.name {
			case "type":
				x.types = append(x.types, k.attr["name"])
			case "command":
				x.commands = append(x.commands, k.attr["name"])
			case "enum":
				r.readExtensionEnum(k, ext, number)
			}
		}
	}
	if ext != "" {
		r.extensions[ext] = x
	}
}

func (r *registry) readExtensionEnum(k *node, ext, number string) {
	group := k.attr["extends"]
	if group == "" {
		if v := k.attr["value"]; v != "" && (v[0] == '"') == strings.HasPrefix(k.attr["name"], "VK_STD_") && !strings.HasSuffix(k.attr["name"], "_SPEC_VERSION") {
			r.constant(k.attr["name"], v)
		}
		return
	}
	if k.attr["alias"] != "" {
		return
	}
	v := k.attr["value"]
	if b := k.attr["bitpos"]; b != "" {
		v = "1 << " + b
	} else if o := k.attr["offset"]; o != "" {
		if n := k.attr["extnumber"]; n != "" {
			number = n
		}
		// Source: Vulkan style guide, "Assigning extension token values".
		e, _ := strconv.Atoi(number)
		i, _ := strconv.Atoi(o)
		v = k.attr["dir"] + strconv.Itoa(1_000_000_000+(e-1)*1000+i)
	}
	if v != "" {
		r.enumerants[group] = append(r.enumerants[group], enumerant{k.attr["name"], v, ext})
	}
}
