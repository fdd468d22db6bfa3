package credit

import (
	"fmt"
	"time"
)

// OnFailed sets the function that is called after each failed write of the log, with an error
// that matches ErrFailed. f must not block and must not call the ledger. It replaces the one
// before.
func (l *Ledger) OnFailed(f func(error)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.onFailed = f
}

// Try writes an entry that changes nothing, to test whether the log can be written:
// Config.Self's account with its present credit line. Errors match ErrFailed, also during the
// pause after a failure, or ErrLedgerUnknown when there is no such account.
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
