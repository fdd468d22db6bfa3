package supervisor

import (
	"errors"
	"fmt"
	"time"

	"inos/internal/capsule"
)

// heard takes a heartbeat of ch's n-th instance, on that instance's pump goroutine.
func (s *Supervisor) heard(ch *child, n int, h capsule.Heartbeat, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ch.instance != n || !ch.state.Live() {
		return
	}
	ch.beat = h
	ch.pulse.beat(h.MemoryEpoch, h.Sequence)
	s.cfg.Emit(HeartbeatReceived{ID: ch.id, Heartbeat: h, At: now})
	if h.Congested != ch.congested {
		ch.congested = h.Congested
		s.cfg.Emit(CongestionChanged{ID: ch.id, Congested: h.Congested, At: now})
	}
	if ch.cap == nil {
		return // adopt takes the heartbeat instead
	}
	ch.settle()
	s.meetMemoryRequest(ch, h, now)
	_ = s.apply(ch, healthChange(h), "it says so", now)
}

func (s *Supervisor) logged(ch *child, l capsule.Log, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cfg.Emit(CapsuleLogged{ID: ch.id, Log: l, At: now})
}

// tick checks an instance once a heartbeat interval.
func (s *Supervisor) tick(ch *child, c *capsule.Capsule, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ch.cap != c || ch.stopping || ch.killErr != nil || ch.ending() {
		return // dead already; a browser takes seconds to end its Worker
	}
	ch.settle()
	if ch.outlet.full.Load() {
		ch.pulse.forgive(now) // its heartbeats wait behind bytes that a listener has not read
	}
	switch missed := ch.pulse.tick(now); {
	case missed >= s.cfg.KillAfter:
		s.kill(ch, fmt.Errorf("%w for %v", ErrNoHeartbeat, ch.pulse.silent))
	case missed >= s.cfg.ZombieAfter:
		_ = s.apply(ch, fellSilent, fmt.Sprintf("%d heartbeats missing", missed), now)
	case missed >= s.cfg.DegradedAfter:
		_ = s.apply(ch, missedHeartbeats, fmt.Sprintf("%d heartbeats missing", missed), now)
	}
	if !ch.drainBy.IsZero() && now.After(ch.drainBy) {
		s.kill(ch, fmt.Errorf("%w: a cancelled call did not let go within %v", capsule.ErrKilled, s.cfg.CancelGrace))
	}
}

// kill ends the current instance because of err. Its policy decides whether another follows. The
// caller holds mu.
func (s *Supervisor) kill(ch *child, err error) {
	if ch.killErr == nil && !ch.ending() {
		ch.killErr = err
		ch.cap.Kill(err)
	}
}

// judge decides what follows the end of ch's instance: another one after wait, or none.
func (s *Supervisor) judge(ch *child, err error, now time.Time) (wait time.Duration, again bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ch.killErr != nil && errors.Is(err, capsule.ErrKilled) {
		err = ch.killErr // unless it died of something else just before
	}
	wasUp := ch.cap != nil
	ch.cap = nil
	ch.free()
	ch.lower()
	ch.outlet.end(err)
	ch.lastErr = err
	switch {
	case ch.stopping, !ch.everUp:
		s.finish(ch, err, now)
		return 0, false
	case ch.redo:
		s.willRestart(ch, err, "its group restarts", 0, now)
		return 0, true
	case !restarts(ch.policy, err != nil):
		s.finish(ch, err, now)
		return 0, false
	case !ch.group.history.allow(now):
		err = fmt.Errorf("%w: %d within %v: %w", ErrRestartIntensity, ch.group.history.Restarts, ch.group.history.Within, orStopped(err))
		ch.lastErr = err
		delete(s.groups, ch.group.name) // the next group of that name is another one
		for _, other := range ch.group.members {
			if other != ch {
				s.stop(other, "its group was given up: "+err.Error(), broke)
			}
		}
		s.finish(ch, err, now)
		return 0, false
	}
	if wasUp && now.Sub(ch.startedAt) >= ch.group.history.Within {
		ch.failures = 0
	}
	wait = s.cfg.Backoff.wait(s.rng, ch.failures)
	ch.failures++
	s.willRestart(ch, err, reasonOf(err), wait, now)
	s.restartRest(ch)
	return wait, true
}

func (s *Supervisor) willRestart(ch *child, err error, reason string, wait time.Duration, now time.Time) {
	_ = s.apply(ch, restarted, reason, now)
	s.cfg.Emit(CapsuleEnded{ID: ch.id, CID: ch.cid, Name: ch.name, Err: err, Reason: reason, Restart: true, Wait: wait, At: now})
}

// finish ends ch for good. The caller holds mu.
func (s *Supervisor) finish(ch *child, err error, now time.Time) {
	how, reason := ended, reasonOf(err)
	switch {
	case ch.stopping:
		how, reason = ch.stopHow, ch.stopReason
	case err != nil:
		how = broke
	}
	ch.lastErr = err
	_ = s.apply(ch, how, reason, now)
	s.cfg.Emit(CapsuleEnded{ID: ch.id, CID: ch.cid, Name: ch.name, Err: err, Reason: reason, At: now})
	if !ch.everUp {
		if ch.startErr = err; err == nil || ch.stopping {
			ch.startErr = fmt.Errorf("%w: %s", ErrStopped, reason)
		}
		close(ch.started)
	}
	s.archive(ch)
}

func reasonOf(err error) string {
	if err == nil {
		return "it returned"
	}
	return err.Error()
}

func orStopped(err error) error {
	if err == nil {
		return capsule.ErrStopped
	}
	return err
}
