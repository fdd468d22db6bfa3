package bridge

import (
	"context"
	"encoding/hex"
	"fmt"
	"math"
	"syscall/js"
	"time"

	"inos/internal/console"
	"inos/internal/credit"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/kernel"
)

// historyRows is how many of the newest entries the console shows.
const historyRows = 200

// restEvery is how long reading the log may delay the rest of the kernel: there is one thread for
// all. A rest must be a timer's, since only that lets the browser's events in.
const (
	restEvery = 20 * time.Millisecond
	rest      = time.Millisecond
)

// resting passes entries to fn, which may be nil, and rests regularly.
func resting(fn func(credit.Entry)) func(credit.Entry) error {
	since := time.Now()
	return func(e credit.Entry) error {
		if fn != nil {
			fn(e)
		}
		if time.Since(since) > restEvery {
			time.Sleep(rest)
			since = time.Now()
		}
		return nil
	}
}

// ledger answers inos.ledger(what). what is 'balance' (the default), 'history', 'export' or
// 'verify'; or one of the changes, with an amount where it takes one and a ledger, by default this
// node's own. A change answers the balances.
func (a *api) ledger(_ context.Context, args []js.Value) (any, error) {
	what := "balance"
	if v := arg(args, 0); !v.IsUndefined() {
		var err error
		if what, err = text("ledger", "what", v); err != nil {
			return nil, err
		}
	}
	switch what {
	case "balance":
		return a.balances(), nil
	case "history":
		return a.entries(historyRows)
	case "export":
		return a.entries(-1)
	case "verify":
		r, err := credit.Verify(a.cfg.Log, resting(nil))
		if err != nil {
			return nil, err
		}
		v := console.LedgerReport{OK: true, Entries: r.Entries, Gone: r.Gone, Head: hex.EncodeToString(r.Head[:]), Ledgers: r.Ledgers,
			Held: r.Held, Holds: r.Holds, Owed: r.Owed, Granted: r.Granted, Durable: a.cfg.Storage.Durable}
		if r.Gone > 0 {
			v.Before = hex.EncodeToString(r.Before[:])
		}
		return v, nil
	}
	if _, ok := changes[what]; ok {
		return a.change(what, args[1:])
	}
	return nil, badArgument("ledger", "what", "'balance', 'history', 'export', 'verify', 'grant', 'withdraw', 'line', 'revoke' or 'restore'", fmt.Sprintf("%.40q", what))
}

func (a *api) change(what string, args []js.Value) (any, error) {
	var amount float64
	if changes[what].amount {
		v := arg(args, 0)
		if v.Type() != js.TypeNumber || v.Float() < 0 || v.Float() > 1<<53 || v.Float() != math.Trunc(v.Float()) {
			return nil, badArgument("ledger", "amount", "a whole number of microcredits", kindOf(v))
		}
		amount, args = v.Float(), args[1:]
	}
	of := a.cfg.Wallet.Ledger()
	if v := arg(args, 0); !v.IsUndefined() {
		id, err := text("ledger", "ledgerId", v)
		if err != nil {
			return nil, err
		}
		of = identity.LedgerID(id)
	} else if !changes[what].amount {
		return nil, badArgument("ledger", "ledgerId", "a ledger's id", "nothing")
	}
	if err := changes[what].do(a.cfg.Ledger, of, uint64(amount), time.Now()); err != nil {
		return nil, err
	}
	return a.balances(), nil
}

func (a *api) balances() []console.BalanceRow {
	rows := []console.BalanceRow{}
	for _, b := range a.cfg.Ledger.Balances() {
		v := console.BalanceRow{Ledger: string(b.Ledger), Own: b.Ledger == a.cfg.Wallet.Ledger(), Balance: b.Balance, Promised: b.Promised, Held: b.Held,
			Line: b.Line, Available: b.Available(), State: "open"}
		switch {
		case b.Revoked:
			v.State = "revoked"
		case b.Stranger:
			v.State = "stranger"
		}
		rows = append(rows, v)
	}
	return rows
}

// entries returns the newest n entries of the verified log, oldest first; all of them when n is
// negative. When older ones are no longer kept, the first is of kind let-go and has the number and
// the hash of the newest of those.
func (a *api) entries(n int) ([]console.LedgerEntry, error) {
	rows := []console.LedgerEntry{}
	_, err := credit.Verify(a.cfg.Log, resting(func(e credit.Entry) {
		rows = append(rows, console.LedgerEntry{Entry: e.Sequence, At: e.At.Format(time.RFC3339Nano), Kind: e.Kind.String(), Amount: e.Amount,
			Cost: e.Cost, JobID: e.JobID, Ledger: string(e.Ledger), Payee: string(e.Peer), Hash: hex.EncodeToString(e.Hash[:])})
		if n >= 0 && len(rows) > n {
			rows = rows[1:]
		}
	}))
	return rows, err
}

// why answers inos.why(jobId), or without an argument with the latest decisions.
func (a *api) why(_ context.Context, args []js.Value) (any, error) {
	v := arg(args, 0)
	if v.IsUndefined() {
		rows := []console.DecisionRow{}
		for _, d := range a.cfg.Gate.Decisions(historyRows) {
			rows = append(rows, viewDecision(d))
		}
		return rows, nil
	}
	id, err := text("why", "jobId", v)
	if err != nil {
		return nil, err
	}
	d, ok := a.cfg.Gate.Why(id)
	if !ok {
		return nil, failed(kernel.ErrNoJob, "why: no decision about job %.60q is remembered here", id)
	}
	return viewDecision(d), nil
}

// policy answers inos.policy() with the policy in force as text, and inos.policy(text) with what
// that policy would have decided. It puts nothing in force.
func (a *api) policy(_ context.Context, args []js.Value) (any, error) {
	v := arg(args, 0)
	if v.IsUndefined() {
		return a.cfg.Gate.Policy().InForce(), nil
	}
	given, err := text("policy", "text", v)
	if err != nil {
		return nil, err
	}
	p, err := governance.ParsePolicy(given)
	if err != nil {
		return nil, err
	}
	changes, looked, err := a.cfg.Gate.DryRun(p)
	if err != nil {
		return nil, err
	}
	return viewChanges(changes, looked), nil
}

func viewChanges(changes []governance.Change, looked int) console.PolicyDryRun {
	v := console.PolicyDryRun{Looked: looked, Changes: []console.PolicyChange{}}
	for _, c := range changes {
		v.Changes = append(v.Changes, console.PolicyChange{JobID: c.JobID, Before: c.Before.Rule, After: c.After.Rule})
	}
	return v
}

// enforce answers inos.enforce(text) with what the policy would have decided. It puts the policy in
// force, also for later visits.
func (a *api) enforce(_ context.Context, args []js.Value) (any, error) {
	given, err := text("enforce", "text", arg(args, 0))
	if err != nil {
		return nil, err
	}
	done, err := a.cfg.Enforce(given)
	if err != nil {
		return nil, err
	}
	return console.PolicyEnforced{Name: done.Policy.Name, Version: done.Policy.Version, PolicyDryRun: viewChanges(done.Changes, done.Looked)}, nil
}
