package credit

import "time"

// fallback is the smallest step back that counts as a clock set back. Threads that write at the
// same moment may be some milliseconds out of order.
const fallback = time.Second

// fallen returns by how much the clock has been set back between the newest entry and one at
// now. That happens only while the ledger is closed, since its clock is monotonic while it is
// open.
func (s *state) fallen(now int64) int64 {
	if d := s.last - now; d > int64(fallback) {
		return d
	}
	return 0
}

// shift moves the ends of holds, and the last transfer times of accounts, by d nanoseconds.
// After a clock that was a day or a century ahead has been put right, what would have ended in a
// minute ends in a minute. Used vouchers are remembered until they expire by the new clock.
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
