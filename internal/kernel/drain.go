package kernel

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"inos/internal/kernel/lifecycle"
	"inos/internal/mesh"
)

// errHandBack ends a run whose job this node hands back to its caller.
var errHandBack = fmt.Errorf("%w and hands its jobs back", lifecycle.ErrDraining)

// Drained counts the jobs by how they ended during a Drain.
type Drained struct {
	Finished   int // jobs of others that ended by themselves
	HandedBack int // jobs of others that were ended and given back: paid for as long as they ran
	Own        int // jobs dispatched from here that are still under way
}

// leaving is the state of this node's drain.
type leaving struct {
	draining atomic.Bool
	left     atomic.Bool // the profile has been withdrawn

	// The loop's:
	count Drained
	empty chan struct{} // closed once no job is under way; nil: nobody waits
}

// Drain takes no new work from now on: the profile says that there are no free slots, new jobs of
// other nodes are answered JobBusy and their spawns lifecycle.ErrDraining. It waits until ctx ends
// for the jobs that are under way, and for those dispatched from here. Then it ends the jobs of
// others that still run and answers them JobBusy: their callers choose another node and pay this
// one for as long as they ran. Drain is called once. Errors are ErrStopped, or name what has not
// ended.
func (k *Kernel) Drain(ctx context.Context) (Drained, error) {
	k.leaving.draining.Store(true)
	empty := make(chan struct{})
	if err := k.loop.ask(context.WithoutCancel(ctx), func(s *state) {
		k.leaving.empty = empty
		s.nodes.UpdateOwn(time.Now())
		s.nobodyLeft()
	}); err != nil {
		return Drained{}, err
	}
	var stuck error
	select {
	case <-empty:
	case <-k.loop.stopped:
	case <-ctx.Done():
		stuck = k.handBack(empty)
	}
	var d Drained
	err := k.loop.ask(context.WithoutCancel(ctx), func(s *state) {
		d = k.leaving.count
		for key := range s.jobs.active {
			if key.from == "" {
				d.Own++
			}
		}
	})
	return d, errors.Join(err, stuck)
}

// letGo is how long a run may take to end after it was told to.
const letGo = 5 * time.Second

// handBack ends the jobs of others and waits until they have ended.
func (k *Kernel) handBack(empty <-chan struct{}) error {
	left := 0
	if err := k.loop.ask(context.Background(), func(s *state) {
		for key, j := range s.jobs.active {
			if key.from != "" {
				left++
				j.cancel(errHandBack)
			}
		}
	}); err != nil {
		return err
	}
	if left == 0 {
		return nil // only jobs dispatched from here are under way
	}
	limit := time.NewTimer(letGo)
	defer limit.Stop()
	select {
	case <-empty:
		return nil
	case <-k.loop.stopped:
		return ErrStopped
	case <-limit.C:
		var served int
		if err := k.loop.ask(context.Background(), func(s *state) { served = s.served() }); err != nil || served == 0 {
			return err
		}
		return fmt.Errorf("kernel: %d jobs did not let go within %v", served, letGo)
	}
}

// served counts the jobs of others that are under way.
func (s *state) served() (n int) {
	for key := range s.jobs.active {
		if key.from != "" {
			n++
		}
	}
	return n
}

// nobodyLeft wakes the Drain that waits, once no job is under way any more.
func (s *state) nobodyLeft() {
	if l := &s.k.leaving; l.empty != nil && len(s.jobs.active) == 0 {
		close(l.empty)
		l.empty = nil
	}
}

// drained counts a job of another node that ended while this one drains.
func (s *state) drained(out mesh.JobOutcome) {
	switch l := &s.k.leaving; {
	case !l.draining.Load():
	case out.Reason == lifecycle.ErrDraining.Code():
		l.count.HandedBack++
	default:
		l.count.Finished++
	}
}

// handedBack returns out, or a JobBusy in its place when this node gave the job back before it ran.
// An outcome with a result or a receipt stays as it is. A run that was handed back has its JobBusy
// and its bill from perform.
func handedBack(ctx context.Context, out mesh.JobOutcome) mesh.JobOutcome {
	if !errors.Is(context.Cause(ctx), errHandBack) || out.Code == mesh.JobOK || len(out.Receipt) > 0 {
		return out
	}
	return mesh.JobOutcome{JobID: out.JobID, Node: out.Node, Code: mesh.JobBusy, Reason: lifecycle.ErrDraining.Code(),
		Message: errHandBack.Error(), FetchedBytes: out.FetchedBytes}
}

// goodbyeLife is how long the last profile is valid: long enough to reach the others.
const goodbyeLife = 2 * time.Second

// Leave withdraws this node's profile: the last one offers nothing and expires at once. Nothing is
// published after it. Errors are the mesh's; ErrNoMesh without one.
func (k *Kernel) Leave(ctx context.Context) error {
	k.leaving.draining.Store(true)
	m, err := k.Mesh()
	if err != nil {
		return err
	}
	var p mesh.Profile
	if err := k.loop.ask(ctx, func(s *state) { p = k.profile(0, s.nodes.NextSequence()) }); err != nil {
		return err
	}
	k.leaving.left.Store(true)
	p.Capabilities, p.Expires = nil, time.Now().Add(goodbyeLife)
	return m.Publish(ctx, p)
}

// Draining reports whether Drain was called.
func (k *Kernel) Draining() bool { return k.leaving.draining.Load() }
