package main

import (
	"fmt"
	"log"
	"strings"
)

// selection is what roots need, dependencies before their users.
type selection struct {
	types      []*typeInfo
	commands   []*command
	extensions []string
	seen       map[string]bool
	extension  map[string]bool
}

var primitives = map[string]string{
	"uint8_t": "uint8", "int8_t": "int8", "uint16_t": "uint16", "int16_t": "int16",
	"uint32_t": "uint32", "int32_t": "int32", "uint64_t": "uint64", "int64_t": "int64",
	"float": "float32", "double": "float64", "size_t": "uintptr", "int": "int32", "char": "byte",
	"VkBool32": "Bool32", "VkDeviceSize": "uint64", "VkDeviceAddress": "uint64", "VkSampleMask": "uint32",
	"VkFlags": "uint32", "VkFlags64": "uint64",
}

func (r *registry) closure(roots []string) (*selection, error) {
	s := &selection{seen: map[string]bool{}, extension: map[string]bool{"": true}}
	s.addType(r, "VkResult")
	s.addType(r, "VkStructureType")
	for _, n := range roots {
		switch {
		case strings.HasPrefix(n, "VK_"):
			x := r.extensions[n]
			if x == nil {
				// An installed registry may be older than the committed code.
				log.Printf("no extension %s in registry %s", n, r.version)
				continue
			}
			s.extensions = append(s.extensions, n)
			s.extension[n] = true
			for _, t := range x.types {
				s.addType(r, t)
			}
			for _, c := range x.commands {
				s.addCommand(r, c)
			}
		case strings.HasPrefix(n, "vk"):
			if !s.addCommand(r, n) {
				return nil, fmt.Errorf("roots: no command %s in registry %s: a newer one is needed", n, r.version)
			}
		default:
			if r.types[n] == nil {
				return nil, fmt.Errorf("roots: no type %s in registry %s: a newer one is needed", n, r.version)
			}
			s.addType(r, n)
		}
	}
	return s, nil
}

func (s *selection) addType(r *registry, name string) {
	if s.seen[name] || primitives[name] != "" {
		return
	}
	t := r.types[name]
	if t == nil {
		return
	}
	s.seen[name] = true
	if t.alias != "" {
		s.addType(r, t.alias)
	}
	if t.category == "bitmask" {
		if b := flagBits(t); b != "" {
			s.addType(r, b)
		}
	}
	for _, m := range t.members {
		s.addType(r, m.typ)
	}
	s.types = append(s.types, t)
}

func (s *selection) addCommand(r *registry, name string) bool {
	if a := r.aliases[name]; a != "" {
		name = a
	}
	c := r.commands[name]
	if c == nil {
		return false
	}
	if s.seen[name] {
		return true
	}
	s.seen[name] = true
	for _, p := range c.params {
		if p.stars == 0 && len(p.dims) == 0 && (p.typ == "float" || p.typ == "double") {
			log.Printf("%s has a float parameter and is left out: calls pass integers only", name)
			return true
		}
	}
	s.addType(r, c.result)
	for _, p := range c.params {
		s.addType(r, p.typ)
	}
	s.commands = append(s.commands, c)
	return true
}

// flagBits is the name of the enumeration that holds the bits of bitmask t.
func flagBits(t *typeInfo) string {
	if b := t.n.attr["requires"]; b != "" {
		return b
	}
	return t.n.attr["bitvalues"]
}
