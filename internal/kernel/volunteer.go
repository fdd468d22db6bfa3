package kernel

import "time"

// Volunteer work is the jobs that this node does for others. While its user is active, or its
// battery low (watcher.Mining), it takes no new job of another node. What is in hand is
// finished, and this node's own jobs run here as ever. Config.AlwaysVolunteer nodes take jobs
// all the same.

// userActive is why a node is busy that does no volunteer work.
const userActive = "this node works for its own user now"

// pauseVolunteering begins a pause of volunteer work, or ends it.
func (s *state) pauseVolunteering(pause bool) {
	pause = pause && !s.k.cfg.AlwaysVolunteer
	if pause != s.volunteeringPaused {
		s.volunteeringPaused = pause
		s.nodes.UpdateOwn(time.Now())
	}
}

// offered counts the slots that other nodes may have.
func (s *state) offered() int {
	if s.volunteeringPaused || s.unwritable != nil || s.k.leaving.draining.Load() {
		return 0
	}
	free, _ := s.nodes.Own()
	return free
}
