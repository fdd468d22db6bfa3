package credit

import (
	"fmt"
	"time"
)

// OnFailed has f called after each write of the log that failed, with an error that matches
// ErrFailed. f must not block and must not call the ledger; it replaces the one before.
func (l *Ledger) OnFailed(f func(error)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.onFailed = f
}

// Try writes an entry that changes nothing, to see whether the log takes any: the line of
// Config.Self's account, as it is. Errors match ErrFailed, also while the pause after a
// failure lasts, or ErrLedgerUnknown when there is no such account.
func (l *Ledger) Try(now time.Time) error {
	l.mu.Lock()
	own := l.state.ledger(l.self)
	if own == nil {
		l.mu.Unlock()
		return fmt.Errorf("%w: the node's own", ErrLedgerUnknown)
	}
	b, leads, err := l.join(now, []*entry{{kind: KindAccount, flags: flagKnown, ledger: l.self, amount: own.line}})
	l.mu.Unlock()
	return l.finish(b, leads, err)
}
