package supervisor

import (
	"context"
	"time"

	"inos/internal/capsule"
)

// child is one supervised capsule, through all its restarts.
type child struct {
	id     string
	cid    capsule.CID
	policy capsule.RestartPolicy
	forJob bool // started by Run, for one task
	args   []string
	group  *group
	index  int // in the group; guarded by Supervisor.mu
	outlet outlet

	ctx     context.Context // ends when the child must not start again
	cancel  context.CancelFunc
	started chan struct{} // closed when the first start has gone well, or not
	gone    chan struct{} // closed when the runner has ended
	turn    chan struct{} // holds one element while a Call is at work

	// Guarded by Supervisor.mu.
	wasm        []byte         // until compiled
	image       *capsule.Image // every instance starts from it; nil: from nothing
	module      capsule.Module
	name        string
	memoryLimit uint64        // bytes, of the instance that is up or the next
	ceiling     uint64        // bytes, what manifest and module allow
	timeLimit   time.Duration // of the manifest, per run

	state    State
	cap      *capsule.Capsule // nil unless one is up
	up       chan struct{}    // closed while one is up
	instance int              // counts starts: callbacks of an older one say nothing
	epoch    uint32           // the last used
	giveUp   context.CancelFunc
	startErr error
	everUp   bool

	stopping   bool // it will not be started again
	stopReason string
	stopHow    change
	killErr    error // why the runner killed this instance
	redo       bool  // its group wants it started again

	jobs    int       // 1 while a task is at work
	calls   int       // that wait for their turn
	drainBy time.Time // a cancelled call must have let go by then

	growing   bool   // a resize it asked for is at work
	refused   uint64 // bytes it wanted and cannot have
	pulse     pulse
	beat      capsule.Heartbeat
	congested bool
	restarts  int
	failures  int // in a row, for the back-off
	startedAt time.Time
	lastErr   error
}

func newChild(ctx context.Context, id string, sp spec, g *group, cfg Config) *child {
	ch := &child{
		id: id, cid: sp.cid, policy: sp.policy, forJob: sp.forJob, args: sp.args, group: g,
		started: make(chan struct{}), gone: make(chan struct{}), up: make(chan struct{}), turn: make(chan struct{}, 1),
		wasm: sp.wasm, memoryLimit: sp.memoryLimit,
		pulse: pulse{period: cfg.Heartbeat},
	}
	if ch.image = sp.image; ch.image != nil {
		ch.epoch = ch.image.Epoch
	}
	if ch.forJob {
		ch.jobs = 1
	}
	ch.index = ch.group.join(ch)
	if sp.began != nil {
		ctx = capsule.Metered(ctx, sp.began)
	}
	ch.ctx, ch.cancel = context.WithCancel(ctx)
	return ch
}

func (ch *child) info() Info {
	in := Info{
		ID: ch.id, CID: ch.cid, Name: ch.name, State: ch.state, Heartbeat: ch.beat, Restarts: ch.restarts,
		MemoryLimit: ch.memoryLimit, Epoch: ch.epoch, Jobs: ch.jobs, Unheard: ch.outlet.unheard(), StartedAt: ch.startedAt, LastError: ch.lastErr,
	}
	if ch.cap != nil {
		in.MemoryBytes, in.MemoryLimit, in.Epoch = ch.cap.MemoryBytes(), ch.cap.MemoryLimit(), ch.cap.Epoch()
	}
	return in
}

// ending reports whether the instance that is up answers no more: its runner hears of
// it when the thread is gone too.
func (ch *child) ending() bool {
	select {
	case <-ch.cap.Ending():
		return true
	default:
		return false
	}
}

// leaving reports whether ch has given its slot back: it is dead, only its thread is
// not gone yet, and no other instance follows.
func (ch *child) leaving() bool {
	final := ch.stopping || ch.policy == capsule.Temporary && !ch.redo
	return ch.cap != nil && final && ch.ending()
}

// settle notices that a call has let go of its instance.
func (ch *child) settle() {
	if ch.cap != nil && !ch.drainBy.IsZero() && ch.cap.Pending() == 0 {
		ch.free()
	}
}

// free gives the turn on of a call that has begun.
func (ch *child) free() {
	if ch.jobs == 1 && !ch.forJob {
		ch.jobs, ch.drainBy = 0, time.Time{}
		<-ch.turn
	}
}

// lower makes those wait who wait for ch to be up.
func (ch *child) lower() {
	select {
	case <-ch.up:
		ch.up = make(chan struct{})
	default:
	}
}

// healthChange is what a heartbeat says of its capsule.
func healthChange(h capsule.Heartbeat) change {
	switch {
	case h.Paused:
		return saidPaused
	case h.Status == capsule.Degraded || h.Status == capsule.Zombie:
		return feltUnwell
	default:
		return feltWell
	}
}
