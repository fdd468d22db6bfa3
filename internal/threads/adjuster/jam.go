package adjuster

import "time"

// jam is a capsule that is congested, or was until recently. Its valve may shut and open thousands
// of times within one jam; listeners are told of the jam only.
type jam struct {
	valve *Valve
	over  time.Time // when the jam is over, unless the valve is shut by then
}

// hear takes a report of the kernel. The valve has been set already.
func (a *Adjuster) hear(id string, n news, now time.Time) {
	if id == "" {
		a.host = n.host
		return
	}
	j := a.jams[id]
	if j != nil && j.valve != n.valve { // another capsule with the same id
		a.clear(id, j, now)
		j = nil
	}
	switch {
	case j != nil:
	case n.jammed && n.valve.Err() == nil:
		j = &jam{valve: n.valve}
		a.jams[id] = j
		a.cfg.Listener.Throttled(Throttle{Capsule: id, Jammed: true, At: now})
	default:
		return
	}
	j.over = now.Add(a.cfg.Clear)
}

// step ends the jams that are over. It returns when the next may be over, zero for never.
func (a *Adjuster) step(now time.Time) (next time.Time) {
	soonest := func(t time.Time) {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	for id, j := range a.jams {
		switch {
		case j.valve.Err() != nil:
			a.clear(id, j, now)
		case !j.valve.Open():
		case now.Before(j.over):
			soonest(j.over)
		default:
			a.clear(id, j, now)
		}
	}
	changed, again := a.sensor.next(wanted(a.host, len(a.jams)), now, a.cfg.Raise)
	if changed {
		a.cfg.Listener.Fidelity(a.sensor.level, now)
	}
	soonest(again)
	return next
}

// clear ends a jam.
func (a *Adjuster) clear(id string, j *jam, now time.Time) {
	delete(a.jams, id)
	t := j.valve.take(now)
	a.cfg.Listener.Throttled(Throttle{Capsule: id, Times: t.times, Held: t.held, At: now})
}
