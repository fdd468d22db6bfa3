package supervisor

import (
	"context"
	"fmt"

	"inos/internal/capsule"
)

// Strategy says who is started again when a member of a group is.
type Strategy uint8

// The strategies (Erlang/OTP's names).
const (
	OneForOne  Strategy = iota // that member alone
	RestForOne                 // that member, then those after it, in order
)

// Group is capsules that belong together. They start in order, each once the one
// before is up, and share one restart intensity: when it is passed, all end.
type Group struct {
	Strategy  Strategy
	Intensity Intensity // zero fields mean Config.Intensity's
	Members   []Member
}

// Member is one capsule of a Group.
type Member struct {
	CID         capsule.CID
	MemoryLimit uint64 // bytes; 0 means what the capsule declares
	Policy      Policy // DefaultPolicy means Permanent: a group is there to stay
}

// group is a running Group. Guarded by Supervisor.mu.
type group struct {
	strategy Strategy
	members  []*child
	history  history
}

func newGroup(st Strategy, in Intensity) *group {
	return &group{strategy: st, history: history{Intensity: in}}
}

func (g *group) join(ch *child) int {
	g.members = append(g.members, ch)
	return len(g.members) - 1
}

// StartGroup starts the members in order and returns their ids. It blocks until
// the last is up. When one does not start, those before it are stopped and the
// error is its own; ctx's end counts as that.
func (s *Supervisor) StartGroup(ctx context.Context, g Group) ([]string, error) {
	if len(g.Members) == 0 || g.Strategy > RestForOne {
		return nil, fmt.Errorf("%w: a group of %d members, strategy %d", ErrConfig, len(g.Members), g.Strategy)
	}
	in := g.Intensity
	if in.Restarts == 0 {
		in.Restarts = s.cfg.Intensity.Restarts
	}
	orDefault(&in.Within, s.cfg.Intensity.Within)
	grp := newGroup(g.Strategy, in)
	ids := make([]string, 0, len(g.Members))
	for _, m := range g.Members {
		if m.Policy == DefaultPolicy {
			m.Policy = Permanent
		}
		ch, err := s.start(ctx, spec{cid: m.CID, memoryLimit: m.MemoryLimit, policy: m.Policy, group: grp})
		if err != nil {
			s.mu.Lock()
			for _, other := range grp.members {
				s.stop(other, "its group did not start", ended)
			}
			s.mu.Unlock()
			return nil, err
		}
		ids = append(ids, ch.id)
	}
	return ids, nil
}

// start admits a capsule and waits until it is up. When ctx ends first it is
// stopped and the error is ctx's.
func (s *Supervisor) start(ctx context.Context, sp spec) (*child, error) {
	if err := s.awaitServing(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	ch, err := s.admit(sp)
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return ch, s.awaitStart(ctx, ch)
}

func (s *Supervisor) awaitStart(ctx context.Context, ch *child) error {
	select {
	case <-ch.started:
	case <-ctx.Done():
		s.mu.Lock()
		defer s.mu.Unlock()
		s.stop(ch, "nobody waited for its start", ended)
		return context.Cause(ctx)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return ch.startErr
}

// restartRest ends the members after ch so that they start again behind it. mu
// is held.
func (s *Supervisor) restartRest(ch *child) {
	if ch.group.strategy != RestForOne {
		return
	}
	for _, other := range ch.group.members[ch.index+1:] {
		if other.stopping || !other.state.Live() {
			continue
		}
		other.redo = true
		other.lower()
		if other.cap != nil {
			other.cap.Kill("restarted behind " + ch.id)
		} else if other.giveUp != nil {
			other.giveUp()
		}
	}
}

// awaitTurn blocks until the member before ch in its group is up, and reports
// false when ch is to end instead.
func (s *Supervisor) awaitTurn(ch *child) bool {
	if ch.index == 0 || ch.group.strategy != RestForOne {
		return true
	}
	for {
		s.mu.Lock()
		before := ch.group.members[ch.index-1]
		up, live := before.up, before.state.Live()
		s.mu.Unlock()
		if !live {
			return ch.ctx.Err() == nil
		}
		select {
		case <-up:
			return ch.ctx.Err() == nil
		case <-before.gone:
		case <-ch.ctx.Done():
			return false
		}
	}
}
