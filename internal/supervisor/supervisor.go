package supervisor

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"inos/internal/capsule"
)

// Supervisor owns the capsules of this node. Each capsule has a runner, a goroutine that starts it,
// watches it and decides what follows its end. mu guards what runners and callers share. Safe for
// concurrent use.
type Supervisor struct {
	cfg     Config
	runners sync.WaitGroup
	begun   sync.Once
	serving chan struct{} // closed when Serve first begins

	mu     sync.Mutex
	ctx    context.Context // Serve's; nil while Serve does not run
	rng    *rand.Rand
	serial uint64
	live   map[string]*child
	ended  map[string]*child
	order  []*child // live and ended, oldest first
	groups map[string]*group
	// departure is closed and replaced when a capsule has ended for good.
	departure chan struct{}
}

// New checks the configuration. Errors match ErrConfig.
func New(cfg Config) (*Supervisor, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	return &Supervisor{
		cfg:     cfg,
		serving: make(chan struct{}),
		rng:     rand.New(rand.NewPCG(cfg.Seed, 0)),
		live:    map[string]*child{},
		ended:   map[string]*child{},
		groups:  map[string]*group{},

		departure: make(chan struct{}),
	}, nil
}

// String names the service.
func (s *Supervisor) String() string { return "supervisor" }

// Serve lets capsules start until ctx ends, then kills them all and waits for them. It returns
// ctx's error and may be called again.
func (s *Supervisor) Serve(ctx context.Context) error {
	s.mu.Lock()
	if s.ctx != nil {
		s.mu.Unlock()
		return fmt.Errorf("%w: Serve runs already", ErrConfig)
	}
	s.ctx = ctx
	s.mu.Unlock()
	s.begun.Do(func() { close(s.serving) })

	<-ctx.Done()
	s.mu.Lock()
	s.ctx = nil
	for _, ch := range s.live {
		s.stop(ch, "the supervisor stops", ended)
	}
	s.mu.Unlock()
	s.runners.Wait()
	return ctx.Err()
}

// Info describes one capsule.
type Info struct {
	ID          string
	CID         capsule.CID
	Name        string // for people
	State       State
	Heartbeat   capsule.Heartbeat // the last
	Restarts    int
	MemoryBytes uint64 // now; 0 when none runs
	MemoryLimit uint64
	Epoch       uint32 // memory epoch
	Jobs        int    // runs under way
	Unheard     uint64 // bytes it emitted without a listener, which were dropped
	StartedAt   time.Time
	LastError   error // of the last end
}

// List describes the capsules in the order they were first started: the live ones and up to
// Config.KeepEnded of those that ended.
func (s *Supervisor) List() []Info {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Info, 0, len(s.order))
	for _, ch := range s.order {
		out = append(out, ch.info())
	}
	return out
}

// spec says what a spawn starts.
type spec struct {
	cid         capsule.CID
	wasm        []byte         // nil: Blobs has the bytes
	image       *capsule.Image // nil: a fresh memory
	memoryLimit uint64         // bytes; 0 means what the capsule declares
	policy      capsule.RestartPolicy
	args        []string
	forJob      bool   // started by Run, for one task
	began       func() // called when the node begins to work on its first start; may be nil
	group       string
	strategy    capsule.GroupStrategy
}

// awaitServing waits for Serve to begin, so that a node's starter need not know which of its parts
// run. It does not wait for a second Serve. The error is ctx's.
func (s *Supervisor) awaitServing(ctx context.Context) error {
	select {
	case <-s.serving:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// admit takes a slot and starts a runner. A dead capsule whose thread has not ended holds no slot,
// but such capsules may not outnumber the limit of live ones. Errors match ErrBusy, ErrNotServing
// or ErrConfig. The caller holds mu.
func (s *Supervisor) admit(sp spec) (*child, error) {
	if s.ctx == nil {
		return nil, ErrNotServing
	}
	if err := s.joinable(sp); err != nil {
		return nil, err
	}
	if s.occupied() >= s.cfg.MaxCapsules {
		return nil, fmt.Errorf("%w: %d capsules", ErrBusy, s.cfg.MaxCapsules)
	}
	if len(s.live) >= 2*s.cfg.MaxCapsules {
		return nil, fmt.Errorf("%w: %d capsules, those going away counted", errLeaving, len(s.live))
	}
	s.serial++
	ch := newChild(context.WithoutCancel(s.ctx), fmt.Sprintf("c%d", s.serial), sp, s.groupOf(sp), s.cfg)
	s.live[ch.id] = ch
	s.order = append(s.order, ch)
	s.runners.Go(func() { s.runChild(ch) })
	return ch, nil
}

// occupied counts the slots in use. The caller holds mu.
func (s *Supervisor) occupied() int {
	n := 0
	for _, ch := range s.live {
		if !ch.leaving() {
			n++
		}
	}
	return n
}

// stop ends ch for good: its runner does not start it again. how is ended or broke. The caller
// holds mu.
func (s *Supervisor) stop(ch *child, reason string, how change) {
	if !s.retire(ch, reason, how) {
		return
	}
	if ch.cap != nil {
		ch.cap.Kill(errors.New(reason))
	}
}

// retire is stop without the kill. It reports whether it was the first. The caller holds mu.
func (s *Supervisor) retire(ch *child, reason string, how change) bool {
	if ch.stopping || !ch.state.Live() {
		return false
	}
	ch.stopping, ch.stopReason, ch.stopHow = true, reason, how
	ch.cancel()
	return true
}

// archive moves ch from the live to the ended capsules. The caller holds mu.
func (s *Supervisor) archive(ch *child) {
	delete(s.live, ch.id)
	s.leave(ch)
	close(s.departure)
	s.departure = make(chan struct{})
	// The list leaves out an instance that did its job.
	if !(ch.forJob && ch.state == Stopped) {
		s.ended[ch.id] = ch
	}
	kept := s.order[:0]
	excess := len(s.ended) - max(s.cfg.KeepEnded, 0)
	for _, c := range s.order {
		_, dead := s.ended[c.id]
		switch {
		case dead && excess > 0:
			excess--
			delete(s.ended, c.id)
		case dead || c.state.Live():
			kept = append(kept, c)
		}
	}
	clear(s.order[len(kept):])
	s.order = kept
}
