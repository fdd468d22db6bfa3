package kernel

import "time"

// Volunteer work is the jobs that this node does for others. While its user is active or its
// battery is low (watcher.Mining), it takes no new job of another node. Jobs in hand are finished,
// and this node's own jobs still run here. Config.AlwaysVolunteer nodes always take jobs.

// userActive is the reason for being busy that a node gives while it does no volunteer work.
const userActive = "this node works for its own user now"

// pauseVolunteering begins or ends a pause of volunteer work.
func (s *state) pauseVolunteering(pause bool) {
	pause = pause && !s.k.cfg.AlwaysVolunteer
	if pause != s.volunteeringPaused {
		s.volunteeringPaused = pause
		s.nodes.UpdateOwn(time.Now())
	}
}

// offered counts the slots that are open to other nodes.
func (s *state) offered() int {
	if s.volunteeringPaused || s.unwritable != nil || s.k.leaving.draining.Load() {
		return 0
	}
	free, _ := s.nodes.Own()
	return free
}
