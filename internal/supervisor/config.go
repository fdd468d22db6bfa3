package supervisor

import (
	"context"
	"fmt"
	"time"

	"inos/internal/capsule"
)

// Defaults of Config.
const (
	DefaultMaxCapsules    = 8
	DefaultKeepEnded      = 16
	DefaultCommandTimeout = 5 * time.Second
	DefaultStartTimeout   = 15 * time.Second
	DefaultCancelGrace    = 2 * time.Second
	DefaultDegradedAfter  = 4  // heartbeats
	DefaultZombieAfter    = 20 // heartbeats
	DefaultKillAfter      = 40 // heartbeats
	DefaultRestarts       = 3
	DefaultWithin         = 30 * time.Second
	DefaultBackoffBase    = 100 * time.Millisecond
	DefaultBackoffMax     = 10 * time.Second
)

// Blobs finds capsules by CID. Get may block until ctx ends. The supervisor checks what it returns
// against the CID.
type Blobs interface {
	Get(ctx context.Context, cid capsule.CID) (wasm []byte, m capsule.Manifest, err error)
}

// Config of a Supervisor. Runtime, Codec and Blobs are required; every other
// zero value is the documented default.
type Config struct {
	Runtime capsule.Runtime
	Codec   capsule.Codec
	Blobs   Blobs
	// Images stores what Snapshot commands take, for a Spawn with that CID. nil refuses such
	// commands with Unsupported.
	Images Images
	// FixedMemory leaves heartbeats' needsMoreMem to the listener. Otherwise a capsule gets the
	// memory it asks for within its limit.
	FixedMemory bool
	// Emit receives every event. It must neither block nor call the Supervisor, whose lock is held.
	// nil drops the events.
	Emit func(Event)

	MaxCapsules    int           // live at once, and as many more that are ending; 0 means DefaultMaxCapsules
	KeepEnded      int           // ended ones still listed; 0 means DefaultKeepEnded, below 0 none
	CommandTimeout time.Duration // of a Command without deadline
	StartTimeout   time.Duration // fetch, compilation and first heartbeat together
	CancelGrace    time.Duration // for a cancelled call to stop
	Heartbeat      time.Duration // 0 means capsule.DefaultHeartbeat

	DegradedAfter, ZombieAfter, KillAfter int // heartbeats missing in a row

	// Policy is for a Spawn command that names no policy; DefaultRestart means Transient.
	Policy    capsule.RestartPolicy
	Intensity Intensity
	Backoff   Backoff
	Seed      uint64 // of the back-off's jitter

	// Overdue says what happens to a capsule that does not pause by its deadline.
	Overdue OverduePolicy
}

// OverduePolicy says what happens to a capsule that did not reach a safe point by the deadline of a
// Pause. A PauseOverdue event reports it under either policy.
type OverduePolicy uint8

// The policies.
const (
	ReportOverdue OverduePolicy = iota // it continues, and pauses when it does reach one
	KillOverdue                        // it is killed, and its restart policy decides what follows
)

func (c *Config) validate() error {
	switch {
	case c.Runtime == nil:
		return fmt.Errorf("%w: no Runtime", ErrConfig)
	case c.Codec == nil:
		return fmt.Errorf("%w: no Codec", ErrConfig)
	case c.Blobs == nil:
		return fmt.Errorf("%w: no Blobs", ErrConfig)
	}
	if c.Emit == nil {
		c.Emit = func(Event) {}
	}
	if c.Policy == capsule.DefaultRestart {
		c.Policy = capsule.Transient
	}
	if c.Policy > capsule.Temporary || c.Overdue > KillOverdue {
		return fmt.Errorf("%w: Policy %d, Overdue %d", ErrConfig, c.Policy, c.Overdue)
	}
	orDefault(&c.MaxCapsules, DefaultMaxCapsules)
	orDefault(&c.CommandTimeout, DefaultCommandTimeout)
	orDefault(&c.StartTimeout, DefaultStartTimeout)
	orDefault(&c.CancelGrace, DefaultCancelGrace)
	orDefault(&c.Heartbeat, capsule.DefaultHeartbeat)
	orDefault(&c.DegradedAfter, DefaultDegradedAfter)
	orDefault(&c.ZombieAfter, max(DefaultZombieAfter, c.DegradedAfter))
	orDefault(&c.KillAfter, max(DefaultKillAfter, c.ZombieAfter))
	if c.DegradedAfter > c.ZombieAfter || c.ZombieAfter > c.KillAfter {
		return fmt.Errorf("%w: DegradedAfter %d, ZombieAfter %d and KillAfter %d do not rise", ErrConfig,
			c.DegradedAfter, c.ZombieAfter, c.KillAfter)
	}
	if c.KeepEnded == 0 {
		c.KeepEnded = DefaultKeepEnded
	}
	c.Intensity = c.Intensity.orDefault()
	orDefault(&c.Backoff.Base, DefaultBackoffBase)
	orDefault(&c.Backoff.Max, max(DefaultBackoffMax, c.Backoff.Base))
	return nil
}

func (i Intensity) orDefault() Intensity {
	if i.Restarts == 0 {
		i.Restarts = DefaultRestarts
	}
	orDefault(&i.Within, DefaultWithin)
	return i
}

func orDefault[T int | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}
