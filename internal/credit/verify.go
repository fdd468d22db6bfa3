package credit

import (
	"fmt"
	"slices"
	"time"
)

// Report is the result of verifying a log.
type Report struct {
	Entries uint64   // including those removed
	Gone    uint64   // oldest entries that the log has removed; the rest was verified
	Before  [32]byte // hash of the newest removed entry
	Head    [32]byte // hash of the newest entry
	Ledgers int
	Holds   int
	Held    uint64 // microcredits
	Owed    uint64 // by ledgers on their credit lines, microcredits
	Granted uint64 // issued and not withdrawn, microcredits
	Newest  time.Time
	// Checkpoint is the entry of the checkpoint, 0 when there is none. Verify
	// compares it with what the log adds up to there.
	Checkpoint uint64
}

// Verify replays log from its first kept entry, not from the checkpoint. It checks every hash,
// every rule of double entry, and the checkpoint. The sum of removed entries is taken from the
// state that the log keeps in their place; further such states are compared. fn, which may be
// nil, gets each entry, after one of KindLetGo where entries have been removed. Errors match
// ErrCorrupt and name the entry, or are the log's, or fn's.
func Verify(log Log, fn func(Entry) error) (Report, error) {
	var r Report
	marked, saved, err := log.LoadCheckpoint()
	if err != nil {
		return r, err
	}
	if outdated(saved) {
		saved, marked = nil, 0
	}
	s := newState()
	check := func() error {
		if saved == nil || s.seq != marked {
			return nil
		}
		r.Checkpoint = marked
		c, err := restore(saved)
		if err != nil {
			return err
		}
		if !c.equal(s) {
			return fmt.Errorf("%w: the checkpoint at entry %d does not match the log", ErrCorrupt, marked)
		}
		return nil
	}
	base := func(first uint64, state func() ([]byte, error)) error {
		bytes, err := state()
		if err != nil {
			return err
		}
		b, err := restored(bytes, first)
		if err != nil {
			return err
		}
		if s.seq > 0 { // these entries have been read
			if !b.equal(s) {
				return fmt.Errorf("%w: what is kept of the entries before %d does not match them", ErrCorrupt, first+1)
			}
			return nil
		}
		s = b
		r.Gone, r.Before = first, s.chain
		if err := check(); err != nil || fn == nil {
			return err
		}
		return fn(Entry{Sequence: first, At: time.Unix(0, s.last).UTC(), Kind: KindLetGo, Hash: s.chain})
	}
	err = reading(log)(0, base, func(record []byte) error {
		if err := s.replayOne(record); err != nil {
			return err
		}
		if err := check(); err != nil || fn == nil {
			return err
		}
		// replayOne has just verified it.
		e, sum, err := unseal(record, s.before)
		if err != nil {
			return err
		}
		return fn(e.export(sum))
	})
	if err != nil {
		return r, err
	}
	if saved != nil && r.Checkpoint == 0 && marked > r.Gone {
		return r, fmt.Errorf("%w: the checkpoint is of entry %d, the log ends at %d", ErrCorrupt, marked, s.seq)
	}
	if n := s.sum(); n != 0 {
		return r, fmt.Errorf("%w: accounts add up to %d", ErrCorrupt, n)
	}
	r.Entries, r.Head, r.Holds, r.Newest = s.seq, s.chain, len(s.holds), time.Unix(0, s.last).UTC()
	for id, a := range s.accounts {
		switch id.class {
		case classLedger:
			r.Ledgers++
			r.Owed += uint64(max(-a.balance, 0))
		case classHeld:
			r.Held = uint64(a.balance)
		case classIssue:
			r.Granted = uint64(max(-a.balance, 0))
		}
	}
	return r, nil
}

// equal compares all that decides what a state does next.
func (s *state) equal(o *state) bool {
	if s.seq != o.seq || s.last != o.last || s.chain != o.chain || len(s.holds) != len(o.holds) ||
		len(s.spent.of) != len(o.spent.of) || s.spent.before != o.spent.before || len(s.cheques) != len(o.cheques) {
		return false
	}
	if !s.sameAccounts(o) || !o.sameAccounts(s) {
		return false
	}
	for k, h := range s.holds {
		if o.holds[k] != h {
			return false
		}
	}
	for k, c := range s.spent.of {
		if o.spent.of[k] != c {
			return false
		}
	}
	for second, list := range s.spent.by {
		if !slices.Equal(list, o.spent.by[second]) {
			return false
		}
	}
	for k, c := range s.cheques {
		if o.cheques[k] != c {
			return false
		}
	}
	return true
}

// sameAccounts reports whether every account of s is in o, except unused ones.
func (s *state) sameAccounts(o *state) bool {
	for id, a := range s.accounts {
		if b := o.accounts[id]; b != nil && *a != *b || b == nil && (id.class == classLedger || a.balance != 0) {
			return false
		}
	}
	return true
}
