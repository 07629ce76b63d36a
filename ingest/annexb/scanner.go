package annexb

import (
	"bufio"
	"io"
)

// scanner is a bufio.Scanner that can start anew without memory of its own.
type scanner struct {
	r          io.Reader
	split      bufio.SplitFunc
	mem        []byte
	start, end int // of what has been read and not cut
	ended      bool
	token      []byte
	err        error
	// offset is where in the input the token begins.
	offset int64
}

// restart goes on at offset, which r stands at.
func (s *scanner) restart(split bufio.SplitFunc, offset int64) {
	*s = scanner{r: s.r, split: split, mem: s.mem, offset: offset}
}

// Scan finds the next token; false at the end and on errors.
func (s *scanner) Scan() bool {
	s.offset += int64(len(s.token))
	s.token = nil
	for s.err == nil {
		if s.end > s.start || s.ended {
			n, token, err := s.split(s.mem[s.start:s.end], s.ended)
			if err != nil {
				s.err = err
				return false
			}
			s.start += n
			s.offset += int64(n - len(token)) // tokens end where the reading goes on
			if s.token = token; token != nil {
				return true
			}
			if s.ended && n == 0 {
				return false
			}
			if n > 0 {
				continue
			}
		}
		s.read()
	}
	return false
}

// read reads more, for a token that is not complete.
func (s *scanner) read() {
	if s.start > 0 && (s.end == len(s.mem) || s.start > len(s.mem)/2) {
		s.end = copy(s.mem, s.mem[s.start:s.end])
		s.start = 0
	}
	if s.end == len(s.mem) {
		if len(s.mem) >= maxUnit {
			s.err = bufio.ErrTooLong
			return
		}
		s.mem = append(s.mem, make([]byte, len(s.mem))...)
	}
	n, err := s.r.Read(s.mem[s.end:])
	s.end += n
	if err == io.EOF {
		s.ended = true
	} else if err != nil {
		s.err = err
	}
}
