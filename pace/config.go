package pace

import (
	"fmt"
	"time"
)

// Policy says what a viewer wants more: every frame in its rhythm, or the newest one now.
type Policy uint8

// Policies.
const (
	// PolicySmooth keeps the rhythm: for files, and for broadcasts nobody answers to. The
	// display's own rate is played where the source's is close, and sound follows.
	PolicySmooth Policy = iota
	// PolicyBalanced delays a live source by as much as its jitter takes and no more: for
	// conferences and monitoring.
	PolicyBalanced
	// PolicyFreshest shows the newest frame at the next refresh and drops what is older: for
	// remote control, where every millisecond is in a loop with a hand.
	PolicyFreshest
	numPolicies
)

var policyNames = [numPolicies]string{"smooth", "balanced", "freshest"}

func (p Policy) String() string {
	if p >= numPolicies {
		return "unknown"
	}
	return policyNames[p]
}

// ParsePolicy finds a policy by its name.
func ParsePolicy(name string) (Policy, error) {
	for i, n := range policyNames {
		if n == name {
			return Policy(i), nil
		}
	}
	return 0, fmt.Errorf("%q is not a latency policy: choose smooth, balanced or freshest", name)
}

// Config says how to pace. The zero value suits files.
type Config struct {
	Policy Policy
	// Live says that frames come when they come and not when they are asked for: the pacer
	// then finds their moments itself, from when they arrive.
	Live bool
	// MaxLatency is a contract for live sources: frames that were received longer ago than
	// this are not shown when there are newer ones, and the delay that evens out jitter is
	// never longer. 0: DefaultMaxLatency of the policy.
	MaxLatency time.Duration
	// Sound says that sound has to follow a change of speed: then the display's rate is
	// played only within MaxSoundSpeed of the source's.
	Sound bool
	// FrameInterval is what the source says about its frame rate; 0 when it says nothing.
	FrameInterval time.Duration

	// Lead is how long before its moment a frame is handed to the renderer, so that the
	// display and not our wake-up decides when it appears. 0: half a refresh interval,
	// raised when the GPU needs longer, or DefaultLead where the display has none.
	Lead time.Duration
	// LateTolerance is how far a frame may be behind its moment before it is dropped
	// although no newer frame is ready. 0: DefaultLateTolerance.
	LateTolerance time.Duration
	// MinRate is at most how long no picture is shown, however late all of them are. 0:
	// DefaultMinRate.
	MinRate time.Duration
	// Unpaced shows every frame as soon as the sink takes it and drops none.
	Unpaced bool
}

const (
	// DefaultLead covers the recording and submission of a frame and a late wake-up.
	DefaultLead = 4 * time.Millisecond
	// DefaultLateTolerance is the lower bound of ffplay's sync threshold: below it
	// lateness is not seen, and dropping would be.
	DefaultLateTolerance = 40 * time.Millisecond
	// DefaultMinRate follows GStreamer's QoS: at least one picture a second, so that a
	// machine that is too slow shows a slide show and not a black screen.
	DefaultMinRate = time.Second
)

// DefaultMaxLatency is what a live source may be behind when nothing else is asked for. A
// hand on a control notices 100 ms; a quarter of a second is the usual limit of a
// conversation; two seconds are what viewers of broadcasts are used to.
func DefaultMaxLatency(p Policy) time.Duration {
	switch p {
	case PolicyFreshest:
		return 100 * time.Millisecond
	case PolicyBalanced:
		return 250 * time.Millisecond
	default:
		return 2 * time.Second
	}
}

func (c Config) validate() (Config, error) {
	if c.Lead < 0 || c.LateTolerance < 0 || c.MinRate < 0 || c.MaxLatency < 0 || c.FrameInterval < 0 {
		return c, fmt.Errorf("pace: negative duration in %+v", c)
	}
	if c.Policy >= numPolicies {
		return c, fmt.Errorf("pace: policy %d: choose smooth, balanced or freshest", c.Policy)
	}
	if c.LateTolerance == 0 {
		c.LateTolerance = DefaultLateTolerance
	}
	if c.MinRate == 0 {
		c.MinRate = DefaultMinRate
	}
	if c.MaxLatency == 0 {
		c.MaxLatency = DefaultMaxLatency(c.Policy)
	}
	return c, nil
}
