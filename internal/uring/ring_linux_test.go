package uring

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/scanout-av/scanout/media"
)

// receiver is a ring on one end of a pair of datagram sockets.
type receiver struct {
	*Ring
	b      *Buffers
	memory []byte
	hdr    *unix.Msghdr
	fd     int // receives
	peer   int
}

const (
	bufferSize  = 256
	buffers     = 8
	userReceive = 7
)

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	if _, err := Probe(); err != nil {
		t.Skipf("needs io_uring: %v", err)
	}
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	r := &receiver{fd: pair[0], peer: pair[1], hdr: new(unix.Msghdr)}
	if r.Ring, err = New(Config{Completions: 2 * buffers}); err != nil {
		t.Fatal(err)
	}
	if r.b, err = r.NewBuffers(3, buffers); err != nil {
		t.Fatal(err)
	}
	if r.memory, err = unix.Mmap(-1, 0, buffers*bufferSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.Ring.Close()
		r.b.Close()
		unix.Munmap(r.memory)
		unix.Close(pair[0])
		unix.Close(pair[1])
	})
	if err := r.Enable(); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *receiver) buffer(id uint16) []byte {
	return r.memory[int(id)*bufferSize : (int(id)+1)*bufferSize]
}

func (r *receiver) send(t *testing.T, b []byte) {
	t.Helper()
	if err := unix.Send(r.peer, b, 0); err != nil {
		t.Fatal(err)
	}
}

// take waits for one completion and returns a copy.
func (r *receiver) take(t *testing.T) Completion {
	t.Helper()
	for range 100 {
		if c, ok := r.Peek(); ok {
			got := *c
			r.Advance()
			return got
		}
		if err := r.Wait(1, 0, 20*time.Second); err != nil {
			t.Fatal(err)
		}
	}
	t.Fatal("no completion")
	return Completion{}
}

// TestMultishot receives more datagrams than there are buffers and completions, through
// one armed request.
func TestMultishot(t *testing.T) {
	r := newReceiver(t)
	for i := range buffers {
		r.b.Add(r.buffer(uint16(i)), uint16(i))
	}
	r.b.Publish()
	r.RecvmsgMultishot(r.fd, r.hdr, 3, userReceive)
	for i := range 10 * buffers {
		msg := bytes.Repeat([]byte{byte(i)}, 1+i%100)
		r.send(t, msg)
		c := r.take(t)
		id, ok := c.Buffer()
		if c.User != userReceive || c.Err() != nil || !c.More() || !ok {
			t.Fatalf("datagram %d: %+v", i, c)
		}
		m, ok := ParseRecvmsg(r.buffer(id)[:c.Result], 0, 0)
		if !ok || m.Truncated || !bytes.Equal(m.Payload, msg) {
			t.Fatalf("datagram %d: %+v", i, m)
		}
		r.b.Add(r.buffer(id), id)
		r.b.Publish()
	}
	// One that does not fit, then one that does.
	r.send(t, make([]byte, 2*bufferSize))
	c := r.take(t)
	id, _ := c.Buffer()
	if m, ok := ParseRecvmsg(r.buffer(id)[:c.Result], 0, 0); !ok || !m.Truncated {
		t.Errorf("a datagram that is too long: %+v of %+v", m, c)
	}
}

// TestOutOfBuffers ends the request, which can be armed again.
func TestOutOfBuffers(t *testing.T) {
	r := newReceiver(t)
	r.b.Add(r.buffer(5), 5)
	r.b.Publish()
	r.RecvmsgMultishot(r.fd, r.hdr, 3, userReceive)
	r.send(t, []byte("a"))
	r.send(t, []byte("b"))
	if c := r.take(t); c.Err() != nil {
		t.Fatal(c)
	}
	c := r.take(t)
	if !errors.Is(c.Err(), unix.ENOBUFS) || c.More() {
		t.Fatalf("%+v", c)
	}
	r.b.Add(r.buffer(5), 5)
	r.b.Publish()
	r.RecvmsgMultishot(r.fd, r.hdr, 3, userReceive)
	c = r.take(t)
	if m, ok := ParseRecvmsg(r.buffer(5)[:max(c.Result, 0)], 0, 0); !ok || string(m.Payload) != "b" {
		t.Fatalf("%+v %+v", c, m)
	}
}

func TestPollAndCancel(t *testing.T) {
	r := newReceiver(t)
	r.b.Add(r.buffer(0), 0)
	r.b.Publish()
	r.RecvmsgMultishot(r.fd, r.hdr, 3, userReceive)
	event, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(event)
	r.PollIn(event, 8)
	if err := r.Wait(0, 0, 0); err != nil {
		t.Fatal(err)
	}
	if c, ok := r.Peek(); ok {
		t.Fatalf("%+v", c)
	}
	go unix.Write(event, binary.NativeEndian.AppendUint64(nil, 1))
	if c := r.take(t); c.User != 8 || c.Err() != nil {
		t.Fatalf("%+v", c)
	}
	r.Cancel(userReceive, 9)
	seen := map[uint64]Completion{}
	for range 2 {
		c := r.take(t)
		seen[c.User] = c
	}
	receive, cancel := seen[userReceive], seen[9]
	if !errors.Is(receive.Err(), os.ErrClosed) || receive.More() || cancel.Err() != nil {
		t.Errorf("%+v", seen)
	}
}

// TestWaitTimesOut: waiting returns without a completion, not before the timeout, and
// gathering ends with less than was wished for.
func TestWaitTimesOut(t *testing.T) {
	r := newReceiver(t)
	t0 := time.Now()
	if err := r.Wait(1, 0, 3*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if _, ok := r.Peek(); ok || time.Since(t0) < 3*time.Millisecond {
		t.Errorf("returned after %v", time.Since(t0))
	}
	if !r.MinWait() {
		t.Skip("needs Linux 6.12 for gathering waits")
	}
	for i := range 2 {
		r.b.Add(r.buffer(uint16(i)), uint16(i))
	}
	r.b.Publish()
	r.RecvmsgMultishot(r.fd, r.hdr, 3, userReceive)
	r.send(t, []byte("one"))
	// Sixty-four never come: this ends because gathering does.
	if err := r.Wait(64, 2*time.Millisecond, time.Minute); err != nil {
		t.Fatal(err)
	}
	if _, ok := r.Peek(); !ok {
		t.Error("no completion")
	}
}

// TestOneThread: another thread is turned away and breaks nothing.
func TestOneThread(t *testing.T) {
	r := newReceiver(t)
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		done <- r.Wait(1, 0, time.Millisecond)
	}()
	if err := <-done; !errors.Is(err, unix.EEXIST) {
		t.Errorf("%v", err)
	}
	if err := r.Wait(1, 0, time.Millisecond); err != nil {
		t.Error(err)
	}
}

func TestNoAllocation(t *testing.T) {
	r := newReceiver(t)
	for i := range buffers {
		r.b.Add(r.buffer(uint16(i)), uint16(i))
	}
	r.b.Publish()
	r.RecvmsgMultishot(r.fd, r.hdr, 3, userReceive)
	msg := []byte("message")
	if n := testing.AllocsPerRun(1000, func() {
		if unix.Send(r.peer, msg, 0) != nil {
			panic("send")
		}
		for {
			c, ok := r.Peek()
			if !ok {
				r.Wait(1, time.Millisecond, time.Second)
				continue
			}
			id, _ := c.Buffer()
			if m, ok := ParseRecvmsg(r.buffer(id)[:c.Result], 0, 0); !ok || len(m.Payload) != len(msg) {
				panic("payload")
			}
			r.Advance()
			r.b.Add(r.buffer(id), id)
			r.b.Publish()
			return
		}
	}); n != 0 {
		t.Errorf("%v allocations a datagram", n)
	}
}

func TestBadSizes(t *testing.T) {
	r := newReceiver(t)
	for _, n := range []int{-1, 0, 3, 1 << 16} {
		if b, err := r.NewBuffers(9, n); err == nil {
			b.Close()
			t.Errorf("%d buffers", n)
		}
	}
	if _, err := r.NewBuffers(3, 8); !errors.Is(err, unix.EEXIST) {
		t.Errorf("the same group twice: %v", err)
	}
	if _, err := New(Config{Completions: 1 << 30}); !errors.Is(err, unix.EINVAL) {
		t.Errorf("too many completions: %v", err)
	}
}

// TestNothingLeaks opens and closes rings, armed ones too, and counts descriptors.
func TestNothingLeaks(t *testing.T) {
	count := func() int {
		e, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skipf("needs /proc: %v", err)
		}
		return len(e)
	}
	before := -1
	for range 20 {
		t.Run("", func(t *testing.T) {
			r := newReceiver(t)
			r.RecvmsgMultishot(r.fd, r.hdr, 3, userReceive)
			if err := r.Wait(0, 0, 0); err != nil {
				t.Fatal(err)
			}
		})
		if n := count(); before < 0 {
			before = n
		} else if n > before {
			t.Fatalf("%d descriptors, %d before", n, before)
		}
	}
}

func TestErrno(t *testing.T) {
	for _, tt := range []struct {
		e    unix.Errno
		want error
	}{
		{unix.ENOSYS, media.ErrNotSupported}, {unix.EOPNOTSUPP, media.ErrNotSupported}, {unix.EAGAIN, media.ErrAgain},
		{unix.ETIME, media.ErrAgain}, {unix.ECANCELED, os.ErrClosed}, {unix.EPERM, os.ErrPermission}, {unix.ENOBUFS, unix.ENOBUFS},
	} {
		if !errors.Is(Errno(tt.e), tt.want) {
			t.Errorf("%v is not %v", tt.e, tt.want)
		}
	}
	for _, wrong := range []error{media.ErrAgain, os.ErrClosed, media.ErrNotSupported, unix.EPERM} {
		if errors.Is(Errno(unix.EINVAL), wrong) {
			t.Errorf("EINVAL is %v", wrong)
		}
	}
	if Errno(unix.EINVAL).Error() != "invalid argument" {
		t.Error(Errno(unix.EINVAL).Error())
	}
}
