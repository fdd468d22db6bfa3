package kernel

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/thejerf/suture/v4"

	"inos/internal/fault"
	"inos/internal/identity"
	"inos/internal/kernel/lifecycle"
	"inos/internal/kernel/quorum"
	"inos/internal/mesh"
	"inos/internal/scheduler"
	"inos/internal/threads/adjuster"
	"inos/internal/threads/matchmaker"
	"inos/internal/threads/watcher"
)

// Kernel is one node. Its methods are safe for concurrent use and, unless they say otherwise, may
// be called before Run and before the mesh is joined.
type Kernel struct {
	*capsules

	cfg        Config
	offer      *scheduler.Offer // this node, for the jobs that it is sent
	started    time.Time
	loop       *eventLoop
	matchmaker *matchmaker.Matchmaker
	watcher    *watcher.Watcher
	adjuster   *adjuster.Adjuster
	fidelity   atomic.Uint32 // adjuster.Fidelity
	hub        hub
	finder     finder
	rejections atomic.Uint64
	modules    *lifecycle.Modules
	metering   *lifecycle.Metering
	quorumRuns *quorum.Runs
	leaving    leaving

	mesh      atomic.Pointer[joined]
	attached  chan struct{}   // closed when the mesh is attached
	attach    sync.Mutex      // one Join at a time
	life      context.Context // ends with Run
	end       context.CancelFunc
	dials     sync.WaitGroup
	republish chan struct{}        // capacity 1: the own profile has changed
	pings     chan identity.PeerID // nodes to measure out of turn
}

// joined wraps the interface for atomic.Pointer.
type joined struct{ mesh.Mesh }

// Errors of a kernel.
var (
	// ErrNoMesh: the kernel has not joined a mesh yet. Advice: await `inos.joined`, or try again.
	ErrNoMesh = fault.Retryable("not_joined", "kernel: not joined to a mesh")
	// ErrJoined: a mesh is attached already. Final.
	ErrJoined = fault.Internal("kernel: already joined")
	// ErrBootstrap: no bootstrap node answered; the kernel goes on alone and goes on trying. Advice: see that one
	// of them runs and can be reached: [browsers.md](browsers.md#nodes-on-this-machine-and-around-it).
	ErrBootstrap = fault.Retryable("bootstrap_unreachable", "kernel: no bootstrap peer reached")
)

// New checks c. Errors match ErrConfig, or are the scheduler's for this node's
// own profile.
func New(c Config) (*Kernel, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	if c.Scorer == nil {
		c.Scorer = scheduler.Formula{}
	}
	c.Capabilities = slices.Clone(c.Capabilities)
	offer, err := scheduler.NewOffer(scheduler.Node{ID: c.Self, Capabilities: c.Capabilities, GeoHash: c.GeoHash, CreditCost: c.CreditCost})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	k := &Kernel{
		cfg:       c,
		offer:     offer,
		started:   time.Now(),
		loop:      &eventLoop{mail: make(chan message, mailbox), stopped: make(chan struct{})},
		hub:       hub{direct: c.Emit, sinks: make(map[*sink]struct{})},
		attached:  make(chan struct{}),
		republish: make(chan struct{}, 1),
		pings:     make(chan identity.PeerID, mailbox),
	}
	k.life, k.end = context.WithCancel(context.Background())
	k.quorumRuns = quorum.NewRuns(k.life)
	match := matchmaker.Config{
		Chooser: chooser{k}, Runner: runner{k},
		Queue: c.Jobs, InHand: c.InHand, Attempts: c.Attempts, StallTimeout: c.Silence,
	}
	if c.Hedge {
		match.Hedge = k.hedge
	}
	k.matchmaker, err = matchmaker.New(match)
	if err != nil {
		return nil, err
	}
	if c.Payments != nil {
		c.Payments.OnFreed(k.matchmaker.Kick)
	}
	k.watcher = watcher.New(watcher.Config{Listener: listener{k}, IdleAfter: c.IdleAfter})
	k.adjuster = adjuster.New(adjuster.Config{Listener: listener{k}})
	k.fidelity.Store(uint32(adjuster.Full))
	k.serveCapsules()
	k.loop.state, err = newState(k)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return k, nil
}

// Run supervises the kernel's loops until ctx ends; then it cancels what runs,
// waits for it and returns ctx's error. m may be nil and attached later by Join.
// Run is called once.
func (k *Kernel) Run(ctx context.Context, m mesh.Mesh) error {
	if m != nil {
		if err := k.attachMesh(m); err != nil {
			return err
		}
	}
	spec := suture.Spec{EventHook: k.supervised, Timeout: time.Minute}
	// The loop outlives all who ask it: otherwise they would wait for an answer that never comes.
	base := suture.New("kernel", spec)
	base.Add(k.loop)
	baseCtx, stopBase := context.WithCancel(context.WithoutCancel(ctx))
	defer stopBase()
	baseEnded := base.ServeBackground(baseCtx)
	top := suture.New("kernel", spec)
	top.Add(k.matchmaker)
	top.Add(k.watcher)
	top.Add(k.adjuster)
	top.Add(service{"capsules", k.cfg.Capsules.Serve})
	top.Add(service{"mesh events", k.followMesh})
	top.Add(service{"publisher", k.publish})
	top.Add(service{"pinger", k.ping})
	if k.cfg.Upkeep != nil {
		top.Add(service{"metering", k.metering.Serve})
	}
	err := top.Serve(ctx)
	k.end()
	k.dials.Wait()
	k.quorumRuns.Close()
	stopBase()
	<-baseEnded
	close(k.loop.stopped)
	return err
}

// service gives a loop a name for the supervisor.
type service struct {
	name  string
	serve func(ctx context.Context) error
}

func (s service) String() string                  { return s.name }
func (s service) Serve(ctx context.Context) error { return s.serve(ctx) }

// supervised turns the supervisor's reports into events. A service that ends
// because ctx did is no failure.
func (k *Kernel) supervised(e suture.Event) {
	switch e := e.(type) {
	case suture.EventServicePanic:
		k.emit(ServiceFailed{at(), e.ServiceName, e.PanicMsg})
	case suture.EventServiceTerminate:
		k.emit(ServiceFailed{at(), e.ServiceName, fmt.Sprint(e.Err)})
	case suture.EventBackoff:
		k.emit(ServiceFailed{at(), e.SupervisorName, "failing too often, backing off"})
	case suture.EventStopTimeout:
		k.emit(ServiceFailed{at(), e.ServiceName, "did not stop in time"})
	}
}

func (k *Kernel) attachMesh(m mesh.Mesh) error {
	k.attach.Lock()
	defer k.attach.Unlock()
	if have := k.mesh.Load(); have != nil {
		if have.Mesh == m {
			return nil // Run and Join may both attach it, in either order
		}
		return ErrJoined
	}
	k.mesh.Store(&joined{m})
	close(k.attached)
	return nil
}

// Mesh returns the mesh that is attached, or ErrNoMesh.
func (k *Kernel) Mesh() (mesh.Mesh, error) {
	if j := k.mesh.Load(); j != nil {
		return j.Mesh, nil
	}
	return nil, ErrNoMesh
}

// dialsAtOnce bounds concurrent dials; browsers allow few pending sessions.
const dialsAtOnce = 4

// Join attaches m, unless it is attached already, and dials the bootstrap addresses. It returns
// when the first has answered; the others go on until ctx or the kernel ends. Errors match
// ErrJoined (another mesh is attached), ErrStopped, or ErrBootstrap with the error of every
// address. With no address it returns at once. The events Joined and Parted say whether this node
// is in the mesh, now and later.
func (k *Kernel) Join(ctx context.Context, m mesh.Mesh, bootstrap []string) error {
	if err := k.attachMesh(m); err != nil {
		return err
	}
	switch {
	case k.life.Err() != nil:
		return ErrStopped
	case len(bootstrap) == 0:
		return nil
	}
	answers := make(chan error, len(bootstrap))
	tokens := make(chan struct{}, dialsAtOnce)
	for _, addr := range bootstrap {
		k.dials.Go(func() {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			defer context.AfterFunc(k.life, cancel)()
			tokens <- struct{}{}
			defer func() { <-tokens }()
			_, err := m.Connect(ctx, addr)
			answers <- err
		})
	}
	var failed error = ErrBootstrap
	for range bootstrap {
		select {
		case err := <-answers:
			if err == nil {
				return nil
			}
			failed = fmt.Errorf("%w; %w", failed, err)
		case <-k.loop.stopped:
			return ErrStopped
		}
	}
	return failed
}
