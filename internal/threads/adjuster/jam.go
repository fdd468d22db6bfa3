package adjuster

import "time"

// jam is a capsule that is congested, or was until lately.
type jam struct {
	level     float64
	congested bool
	due       time.Time // of the next change of level
}

// closeBy and openBy make the throttle additive up, multiplicative down, as in
// TCP's congestion avoidance (Chiu and Jain 1989): it finds a rate that the capsule
// can take without swinging.
const (
	closeBy = 0.5
	openBy  = 0.125
)

// hear takes in what the kernel told.
func (a *Adjuster) hear(id string, n news, now time.Time) {
	switch {
	case id == "":
		a.host = n.host
	case n.gone:
		if j := a.jams[id]; j != nil {
			j.level = 1
			a.apply(id, j, now)
			delete(a.jams, id)
		}
		a.mu.Lock()
		delete(a.valves, id)
		a.mu.Unlock()
	default:
		a.hearCapsule(id, n, now)
	}
}

func (a *Adjuster) hearCapsule(id string, n news, now time.Time) {
	j := a.jams[id]
	switch {
	case j == nil && !n.jammed:
		return
	case j == nil:
		j = &jam{level: 1}
		a.jams[id] = j
	}
	was := j.congested
	j.congested = n.congested
	if n.jammed && !was {
		j.level = max(j.level*closeBy, a.cfg.Least)
		j.due = now.Add(a.cfg.Hold)
		a.apply(id, j, now)
	}
	if !j.congested && (was || n.jammed) {
		j.due = now.Add(a.cfg.Clear) // a clear capsule's valve waits before it opens
	}
}

// step makes the changes that are due and returns when the next one is, zero for
// never.
func (a *Adjuster) step(now time.Time) (next time.Time) {
	soonest := func(t time.Time) {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	congested := 0
	for id, j := range a.jams {
		if !now.Before(j.due) {
			a.move(id, j, now)
		}
		switch {
		case !j.congested && j.level == 1:
			delete(a.jams, id)
			continue
		case j.congested:
			congested++
		}
		if !j.congested || j.level > a.cfg.Least {
			soonest(j.due)
		}
	}
	changed, again := a.sensor.next(wanted(a.host, congested), now, a.cfg.Raise)
	if changed {
		a.cfg.Listener.Fidelity(a.sensor.level, now)
	}
	soonest(again)
	return next
}

// move changes a level that is due.
func (a *Adjuster) move(id string, j *jam, now time.Time) {
	if j.congested {
		j.level = max(j.level*closeBy, a.cfg.Least)
		j.due = now.Add(a.cfg.Hold)
	} else {
		j.level = min(j.level+openBy, 1)
		j.due = now.Add(a.cfg.Clear)
	}
	a.apply(id, j, now)
}

// apply sets the valve and tells, if anything is new.
func (a *Adjuster) apply(id string, j *jam, now time.Time) {
	v := a.Valve(id)
	if was, _ := v.Level(); was == j.level {
		return
	}
	v.set(j.level, a.cfg.Rate)
	_, rate := v.Level()
	a.cfg.Listener.Throttled(Throttle{Capsule: id, Level: j.level, Rate: rate, At: now})
}
