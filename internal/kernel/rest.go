package kernel

import "time"

// Volunteer work is what this node does for others: while its user is active, or its
// battery low (watcher.Mining), it takes no new job of another node. What is in hand
// is finished, and this node's own jobs run here as ever. Config.AlwaysVolunteer nodes take
// jobs all the same.

// resting is why a node that rests is busy.
const resting = "this node works for its own user now"

// rest begins a pause of volunteer work, or ends it.
func (s *state) rest(pause bool) {
	pause = pause && !s.k.cfg.AlwaysVolunteer
	if pause != s.resting {
		s.resting = pause
		s.nodes.UpdateOwn(time.Now())
	}
}

// offered counts the slots that other nodes may have.
func (s *state) offered() int {
	if s.resting || s.unwritable != nil || s.k.leaving.draining.Load() {
		return 0
	}
	free, _ := s.nodes.Own()
	return free
}
