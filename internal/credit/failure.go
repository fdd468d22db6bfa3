package credit

import (
	"fmt"
	"time"
)

// wrote records the result of the write of b. When it failed, all batches that wait behind b
// fail with it, and the last of those puts the state back to what is durable.
func (l *Ledger) wrote(b *batch, err error) {
	l.mu.Lock()
	tell := func(error) {}
	defer func() {
		err := l.failed
		l.mu.Unlock()
		tell(err)
	}()
	if err == nil {
		l.pause = 0
		return
	}
	if l.onFailed != nil {
		tell = l.onFailed
	}
	if l.failed == nil {
		l.failed, l.torn = fmt.Errorf("%w: %w", ErrFailed, err), true
		l.pause = min(max(2*l.pause, firstPause), longestPause)
		l.again = b.at.Add(l.pause)
	}
	b.err = l.failed
	if l.last == b {
		l.rewind()
		b.frees = true // by discarding the holds of the refused entries
	}
}

// ready reports whether transfers are accepted. After a failed write they are accepted again
// once the state is what is durable and a pause is over. The caller holds the lock.
func (l *Ledger) ready(now time.Time) error {
	if l.failed == nil {
		return nil
	}
	if wait := l.again.Sub(now); wait > 0 && wait <= longestPause { // a longer wait means that the clock was set back
		return l.failed
	}
	select {
	case <-l.last.done:
	default:
		return l.failed
	}
	if l.torn {
		l.again = now
		l.rewind()
		if l.torn {
			l.pause = min(2*l.pause, longestPause)
			l.again = now.Add(l.pause)
		}
		return l.failed // the caller checked the old state; its next call uses the new one
	}
	l.failed = nil
	return nil
}

// rewind reads the log again, so that the state is what is durable. When the log cannot be read,
// the state stays torn. The caller holds the lock, and no write is under way.
func (l *Ledger) rewind() {
	s, marked, err := replay(l.cfg.Log, l.cfg.Log.Replay)
	if l.torn = err != nil; l.torn {
		l.failed = fmt.Errorf("%w: %w", ErrFailed, err)
		// Until a write succeeds the ledger shows what has been acknowledged.
		if s, marked, err = replay(l.cfg.Log, reading(l.cfg.Log)); err != nil {
			return
		}
	}
	l.state, l.marked, l.owed = s, marked, owed{}
	clear(l.names)
}
