package supervisor

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"inos/internal/capsule"
)

// group is capsules that belong together. They share one restart intensity, and all end when it is
// exceeded. A capsule spawned without a group has one of its own, without a name. Supervisor.mu
// guards it.
type group struct {
	name     string
	strategy capsule.GroupStrategy
	members  []*child // the live ones, in the order they were spawned
	history  history
}

// groupName is the greatest length of a group's name, in bytes.
const groupName = 128

// joinable checks that a spawn names the restart strategy of its group's members. Errors match
// ErrConfig. The caller holds mu.
func (s *Supervisor) joinable(sp spec) error {
	switch g := s.groups[sp.group]; {
	case len(sp.group) > groupName:
		return fmt.Errorf("%w: a group's name of %d bytes, at most %d", ErrConfig, len(sp.group), groupName)
	case g != nil && g.strategy != sp.strategy:
		return fmt.Errorf("%w: group %q has another strategy", ErrConfig, sp.group)
	}
	return nil
}

// groupOf finds or makes the group of a spawn. The caller holds mu.
func (s *Supervisor) groupOf(sp spec) *group {
	if g := s.groups[sp.group]; g != nil {
		return g
	}
	g := &group{name: sp.group, strategy: sp.strategy, history: history{Intensity: s.cfg.Intensity}}
	if g.name != "" {
		s.groups[g.name] = g
	}
	return g
}

func (g *group) join(ch *child) int {
	g.members = append(g.members, ch)
	return len(g.members) - 1
}

// leave removes ch, which has ended for good, from its group and drops a group without members. The
// caller holds mu.
func (s *Supervisor) leave(ch *child) {
	g := ch.group
	g.members = slices.Delete(g.members, ch.index, ch.index+1)
	for i, other := range g.members[ch.index:] {
		other.index = ch.index + i
	}
	if len(g.members) == 0 && s.groups[g.name] == g {
		delete(s.groups, g.name)
	}
}

// start admits a capsule and waits until its instance runs. When ctx ends first, start stops the
// capsule and returns ctx's error.
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

// restartRest ends the members after ch so that they start again after it. The caller holds mu.
func (s *Supervisor) restartRest(ch *child) {
	if ch.group.strategy != capsule.RestForOne {
		return
	}
	for _, other := range ch.group.members[ch.index+1:] {
		if other.stopping || !other.state.Live() {
			continue
		}
		other.redo = true
		other.lower()
		if other.cap != nil {
			other.cap.Kill(errors.New("restarted behind " + ch.id))
		} else if other.giveUp != nil {
			other.giveUp()
		}
	}
}

// awaitTurn blocks until the member before ch in its group runs. It returns false when ch is to end
// instead.
func (s *Supervisor) awaitTurn(ch *child) bool {
	for {
		s.mu.Lock()
		if ch.index == 0 || ch.group.strategy != capsule.RestForOne {
			s.mu.Unlock()
			return ch.ctx.Err() == nil
		}
		before := ch.group.members[ch.index-1]
		up := before.up
		s.mu.Unlock()
		select {
		case <-up:
			return ch.ctx.Err() == nil
		case <-before.gone: // then another member is before it, or none
		case <-ch.ctx.Done():
			return false
		}
	}
}
