package supervisor

import (
	"context"
	"time"

	"inos/internal/capsule"
)

// child is one supervised capsule, across all its restarts.
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
	started chan struct{} // closed when the first start has succeeded or failed
	gone    chan struct{} // closed when the runner has ended
	turn    chan struct{} // holds one element while a Call is at work

	// Guarded by Supervisor.mu.
	wasm        []byte         // until compiled
	image       *capsule.Image // the start of every instance; nil means an empty memory
	module      capsule.Module
	name        string
	memoryLimit uint64        // bytes, of the running instance or the next one
	ceiling     uint64        // bytes, the most that manifest and module allow
	timeLimit   time.Duration // of the manifest, per run

	state    State
	cap      *capsule.Capsule // nil while no instance runs
	up       chan struct{}    // closed while an instance runs
	instance int              // counts starts, so that callbacks of an older instance are ignored
	epoch    uint32           // of the last instance
	giveUp   context.CancelFunc
	startErr error
	everUp   bool

	stopping   bool // it will not be started again
	stopReason string
	stopHow    change
	killErr    error // why the runner killed this instance
	redo       bool  // its group wants it started again

	jobs    int       // 1 while a task runs
	calls   int       // calls that wait for their turn
	drainBy time.Time // the time by which a cancelled call must have stopped

	growing   bool   // a resize that it asked for is under way
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

// ending reports whether the current instance answers nothing more. Its runner learns of it only
// when the thread has ended too.
func (ch *child) ending() bool {
	select {
	case <-ch.cap.Ending():
		return true
	default:
		return false
	}
}

// leaving reports whether ch has given its slot back: it is dead, its thread has not ended yet, and
// no other instance follows.
func (ch *child) leaving() bool {
	final := ch.stopping || ch.policy == capsule.Temporary && !ch.redo
	return ch.cap != nil && final && ch.ending()
}

// settle passes the turn on when a cancelled call no longer runs in its instance.
func (ch *child) settle() {
	if ch.cap != nil && !ch.drainBy.IsZero() && ch.cap.Pending() == 0 {
		ch.free()
	}
}

// free passes on the turn of a call that has begun.
func (ch *child) free() {
	if ch.jobs == 1 && !ch.forJob {
		ch.jobs, ch.drainBy = 0, time.Time{}
		<-ch.turn
	}
}

// lower makes awaiters of ch.up wait again: no instance runs.
func (ch *child) lower() {
	select {
	case <-ch.up:
		ch.up = make(chan struct{})
	default:
	}
}

// healthChange returns the change that a heartbeat reports.
func healthChange(h capsule.Heartbeat) change {
	switch {
	case h.Paused:
		return reportedPaused
	case h.Status == capsule.Degraded || h.Status == capsule.Zombie:
		return reportedDegraded
	default:
		return reportedHealthy
	}
}
