package credit

import "time"

// fallback is how far back a log's clock has to be put to count as that: threads that write
// at the same moment may be some milliseconds out of order.
const fallback = time.Second

// fallen is by how much the clock has been put back between the newest entry and one at
// now: while the ledger was closed, since its clock runs on evenly while it is open.
func (s *state) fallen(now int64) int64 {
	if d := s.last - now; d > int64(fallback) {
		return d
	}
	return 0
}

// shift moves the ends of holds, and when accounts were moved last, by d nanoseconds: when
// a clock that was a day ahead, or in the year 2100, has been put right, what would have
// ended in a minute ends in a minute. Used vouchers are remembered until they expire by the
// new clock.
func (s *state) shift(d int64) {
	if d == 0 {
		return
	}
	for k, h := range s.holds {
		h.expires += d
		s.holds[k] = h
	}
	for id, a := range s.accounts {
		if id.class == classLedger {
			a.moved += d
		}
	}
}
