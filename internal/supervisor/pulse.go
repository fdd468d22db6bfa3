package supervisor

import "time"

// pulse measures how long a capsule has been silent. It counts only time that its own ticks have
// covered. A late tick means that the page was hidden or the machine asleep: the capsule's
// heartbeats could not be received either, and the lateness does not count as silence.
type pulse struct {
	period time.Duration // of the ticks, equal to that of the heartbeats
	last   time.Time     // the last tick
	seq    uint64        // of the last heartbeat
	epoch  uint32
	silent time.Duration
}

// maxLate is how many periods one tick may add to the silence.
const maxLate = 2

func (p *pulse) start(now time.Time) { *p = pulse{period: p.period, last: now} }

// beat takes a heartbeat. It ignores one that it has seen.
func (p *pulse) beat(epoch uint32, seq uint64) {
	if epoch == p.epoch && seq <= p.seq && seq != 0 {
		return
	}
	p.epoch, p.seq, p.silent = epoch, seq, 0
}

// forgive resets the silence: the host was not receiving.
func (p *pulse) forgive(now time.Time) { p.last, p.silent = now, 0 }

// tick returns how many whole periods the capsule has been silent.
func (p *pulse) tick(now time.Time) int {
	passed := max(now.Sub(p.last), 0)
	p.last = now
	p.silent += min(passed, maxLate*p.period)
	return int(p.silent / p.period)
}
