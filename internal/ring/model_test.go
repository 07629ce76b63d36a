package ring

import (
	"fmt"
	"testing"
)

// A model of the ring with its two waiters, small enough to go through every
// interleaving. Each step is one atomic operation of the code or one futex call; Go's
// atomics are sequentially consistent, so interleavings are all there is. It is written
// by hand after ring.go, wait.go and rt/waiter.go and must follow them.

type side int

const (
	consumer side = iota
	producer
)

// Places in the program of a side.
const (
	pcSeen       = iota // TryPop, TryPush: load the other's index
	pcPublish           // take or put the element, store the own index
	pcLook              // WakeWaiting: load the other's waiter
	pcSignal            //   compare-and-swap it
	pcRouse             //   futex wake
	pcClose             // the producer's end: store closed
	pcWaitClosed        // Wait: load closed
	pcWaitIndex         //   load the other's index
	pcPrepare           //   compare-and-swap idle → waiting
	pcAgainIndex        //   look again: the index
	pcAgainClose        //   look again: closed
	pcCancel            //   compare-and-swap waiting → idle
	pcTake              // Waiter.Wait: compare-and-swap signalled → idle
	pcEnter             //   compare-and-swap idle → waiting
	pcStill             //   load: still waiting?
	pcSleep             //   futex wait
	pcAsleep            //   until it is roused
	pcExpire            //   timed out: swap idle
	pcDone
)

const (
	mIdle = iota
	mWaiting
	mSignalled
)

type model struct {
	index     [2]int8 // head, tail
	seen      [2]int8 // the other's index as last seen
	slots     [2]int8
	closed    bool
	sawClosed bool // the consumer's local
	waiter    [2]int8
	asleep    [2]bool
	pc        [2]int8
	popped    int8
	timeouts  int8 // futex calls that may still time out
}

// fault is a deliberate mistake: the test must find each.
type fault int

const (
	correct fault = iota
	noSecondLook
	lookBeforePublish
	cancelForgets
	closeIsSilent
)

type checker struct {
	capacity, items int8
	fault           fault
	seen            map[model]struct{}
}

// ready says, from the other's index, whether a side can go on.
func (c *checker) ready(me side, mine, others int8) bool {
	if me == consumer {
		return others != mine
	}
	return mine-others < c.capacity
}

// enter is the local part of TryPop and TryPush up to the first shared step.
func (c *checker) enter(s *model, me side) {
	switch {
	case me == producer && s.index[me] == c.items:
		s.pc[me] = pcClose
	case c.ready(me, s.index[me], s.seen[me]):
		s.pc[me] = c.publishPC()
	default:
		s.pc[me] = pcSeen
	}
}

func (c *checker) publishPC() int8 {
	if c.fault == lookBeforePublish {
		return pcLook
	}
	return pcPublish
}

// afterLook is where WakeWaiting returns to.
func (c *checker) afterLook(s *model, me side) {
	switch {
	case s.closed && me == producer:
		s.pc[me] = pcDone
	case c.fault == lookBeforePublish:
		s.pc[me] = pcPublish
	default:
		c.enter(s, me)
	}
}

// step returns what can come of side me's next operation; nothing when it is blocked or
// done.
func (c *checker) step(s model, me side) ([]model, error) {
	other := 1 - me
	next := func(pc int8) []model { s.pc[me] = pc; return []model{s} }
	switch s.pc[me] {
	case pcSeen:
		s.seen[me] = s.index[other]
		if c.ready(me, s.index[me], s.seen[me]) {
			return next(c.publishPC()), nil
		}
		return next(pcWaitClosed), nil
	case pcPublish:
		at := s.index[me] % c.capacity
		if me == producer {
			if s.slots[at] != 0 {
				return nil, fmt.Errorf("element %d overwritten by %d", s.slots[at], s.index[me]+1)
			}
			s.slots[at] = s.index[me] + 1
		} else {
			if s.slots[at] != s.popped+1 {
				return nil, fmt.Errorf("popped %d, want %d", s.slots[at], s.popped+1)
			}
			s.slots[at] = 0
			s.popped++
		}
		s.index[me]++
		if c.fault == lookBeforePublish {
			c.enter(&s, me)
			return []model{s}, nil
		}
		return next(pcLook), nil
	case pcLook:
		if s.waiter[other] == mWaiting {
			return next(pcSignal), nil
		}
		c.afterLook(&s, me)
		return []model{s}, nil
	case pcSignal:
		if s.waiter[other] == mWaiting {
			s.waiter[other] = mSignalled
			return next(pcRouse), nil
		}
		c.afterLook(&s, me)
		return []model{s}, nil
	case pcRouse:
		s.asleep[other] = false
		c.afterLook(&s, me)
		return []model{s}, nil
	case pcClose:
		s.closed = true
		if c.fault == closeIsSilent {
			return next(pcDone), nil
		}
		return next(pcLook), nil
	case pcWaitClosed:
		if me == consumer {
			s.sawClosed = s.closed
		}
		return next(pcWaitIndex), nil
	case pcWaitIndex:
		if c.ready(me, s.index[me], s.index[other]) {
			c.enter(&s, me)
			return []model{s}, nil
		}
		if me == consumer && s.sawClosed {
			if s.popped != c.items {
				return nil, fmt.Errorf("end after %d of %d elements", s.popped, c.items)
			}
			return next(pcDone), nil
		}
		return next(pcPrepare), nil
	case pcPrepare:
		if s.waiter[me] == mIdle {
			s.waiter[me] = mWaiting
		}
		if c.fault == noSecondLook {
			return next(pcTake), nil
		}
		return next(pcAgainIndex), nil
	case pcAgainIndex:
		if c.ready(me, s.index[me], s.index[other]) {
			return next(pcCancel), nil
		}
		return next(pcAgainClose), nil
	case pcAgainClose:
		if s.closed {
			return next(pcCancel), nil
		}
		return next(pcTake), nil
	case pcCancel:
		if s.waiter[me] == mWaiting && c.fault != cancelForgets {
			s.waiter[me] = mIdle
		}
		return next(pcWaitClosed), nil
	case pcTake:
		if s.waiter[me] == mSignalled {
			s.waiter[me] = mIdle
			return next(pcWaitClosed), nil
		}
		return next(pcEnter), nil
	case pcEnter:
		if s.waiter[me] == mIdle {
			s.waiter[me] = mWaiting
			return next(pcSleep), nil
		}
		return next(pcStill), nil
	case pcStill:
		if s.waiter[me] == mWaiting {
			return next(pcSleep), nil
		}
		return next(pcTake), nil
	case pcSleep:
		if s.waiter[me] != mWaiting { // EAGAIN
			return next(pcTake), nil
		}
		s.asleep[me] = true
		return next(pcAsleep), nil
	case pcAsleep:
		if !s.asleep[me] {
			return next(pcTake), nil
		}
		if s.timeouts == 0 {
			return nil, nil // blocked
		}
		s.timeouts--
		s.asleep[me] = false
		return next(pcExpire), nil
	case pcExpire:
		s.waiter[me] = mIdle
		return next(pcWaitClosed), nil // the caller waits again, as Push and Pop's may
	}
	return nil, nil
}

func (c *checker) explore(s model) error {
	if _, ok := c.seen[s]; ok {
		return nil
	}
	c.seen[s] = struct{}{}
	moved := false
	for _, me := range []side{consumer, producer} {
		succ, err := c.step(s, me)
		if err != nil {
			return err
		}
		for _, n := range succ {
			moved = true
			if err := c.explore(n); err != nil {
				return err
			}
		}
	}
	if !moved && (s.pc[consumer] != pcDone || s.pc[producer] != pcDone) {
		return fmt.Errorf("deadlock: %+v", s)
	}
	return nil
}

func (c *checker) run(timeouts int8) error {
	c.seen = make(map[model]struct{})
	return c.explore(model{timeouts: timeouts})
}

func TestSleepProtocol(t *testing.T) {
	for capacity := int8(1); capacity <= 2; capacity++ {
		for timeouts := int8(0); timeouts <= 2; timeouts++ {
			c := &checker{capacity: capacity, items: 5}
			if err := c.run(timeouts); err != nil {
				t.Errorf("capacity %d, %d timeouts: %v", capacity, timeouts, err)
			}
			t.Logf("capacity %d, %d timeouts: %d states", capacity, timeouts, len(c.seen))
		}
	}
}

// The model is worth something only if it finds mistakes.
func TestModelFindsMistakes(t *testing.T) {
	for name, f := range map[string]fault{
		"no second look after the announcement": noSecondLook,
		"looking for a sleeper before storing":  lookBeforePublish,
		"close without a wake-up":               closeIsSilent,
	} {
		c := &checker{capacity: 1, items: 3, fault: f}
		if err := c.run(0); err == nil {
			t.Errorf("%s: not found in %d states", name, len(c.seen))
		}
	}
	// A forgotten Cancel costs a needless wake-up and nothing else.
	c := &checker{capacity: 1, items: 3, fault: cancelForgets}
	if err := c.run(0); err != nil {
		t.Errorf("without Cancel: %v", err)
	}
}
