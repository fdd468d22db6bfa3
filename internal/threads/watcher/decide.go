package watcher

import (
	"time"

	"inos/internal/threads/mailbox"
)

// look processes one merged report.
func (w *Watcher) look(r report) {
	switch s := r.signal.(type) {
	case Activity:
		if r.at.After(w.lastActive) {
			w.lastActive = r.at
		}
	case Battery:
		w.host.Battery, w.host.Charging = s.Level, s.Charging
	case Visibility:
		w.host.Visible = s.Visible
	case Heartbeat:
		w.beat(s, r, w.ended(s.CapsuleID, r))
	case Ended:
		w.ended(s.CapsuleID, r)
	}
}

// ended tells the listener of a capsule's ends since the last look, if there were any. It returns
// the jams that are still to be told.
func (w *Watcher) ended(id string, r report) (jams uint64) {
	jams = r.rises
	if r.first && !w.capsules[id].Last.Congested {
		jams++
	}
	if r.ends == 0 {
		return jams
	}
	delete(w.capsules, id)
	w.cfg.Listener.Capsule(Capsule{ID: id, Ended: true, Ends: r.ends, Jams: jams, Reason: r.reason, At: r.at})
	return 0
}

// beat tells the listener what changed about a capsule since its last heartbeat.
func (w *Watcher) beat(h Heartbeat, r report, jams uint64) {
	old, known := w.capsules[h.CapsuleID]
	now := Capsule{ID: h.CapsuleID, Congested: r.congested, Jams: jams, Last: h.Heartbeat, At: r.at}
	if !known || jams > 0 || now.Congested != old.Congested || h.Status != old.Last.Status ||
		h.NeedsMoreMem != old.Last.NeedsMoreMem || h.MemoryEpoch != old.Last.MemoryEpoch {
		w.cfg.Listener.Capsule(now)
	}
	if now.Congested && !h.Congested {
		now.Congested, now.Jams = false, 0
		w.cfg.Listener.Capsule(now)
	}
	if known || len(w.capsules) < mailbox.DefaultLimit {
		w.capsules[h.CapsuleID] = now
	} // else each of its heartbeats counts as news
}

// decide tells the host's state and whether mining may run, if either changed.
func (w *Watcher) decide(now time.Time) {
	h := w.host
	h.Active = !w.lastActive.IsZero() && now.Sub(w.lastActive) < w.cfg.IdleAfter
	w.host.Active = h.Active
	m := Mining{Run: true, Reason: "user idle, battery sufficient", At: now}
	switch {
	case h.Battery < LowBattery:
		m.Run, m.Reason = false, "battery below 0.2"
	case h.Active:
		m.Run, m.Reason = false, "user active"
	}
	hostChanged := false
	w.mu.Lock()
	h.At = w.state.At
	if h != w.state {
		h.At = now
		w.state, hostChanged = h, true
	}
	tell := !w.told || m.Run != w.mine.Run
	if tell {
		w.mine, w.told = m, true
	}
	w.mu.Unlock()
	if hostChanged {
		w.cfg.Listener.Host(h)
	}
	if tell {
		w.cfg.Listener.Mining(m)
	}
}
