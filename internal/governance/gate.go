package governance

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"inos/internal/fault"
	"inos/internal/identity"
)

// Ledgers decides whether a ledger pays. internal/credit's Ledger implements it.
type Ledgers interface {
	// Authorize returns how many microcredits of the job ledger covers: amount, or, when amount
	// is 0, as much as voucher and balance allow, up to ceiling. It reserves nothing and must
	// not block. Credit holds of other jobs count as available to a job of the local console,
	// which waits until they are released. voucher is nil when none came. from is the sender
	// (zero: the local console), payee the node that would be paid (zero: any). origin is the
	// network of from, zero when unknown. ahead is how far from's clock is ahead of this node's.
	// Governance reports an error under the code that fault.Find returns, if it knows that code,
	// with the error's Detail() string.
	Authorize(ledger identity.LedgerID, jobID string, voucher []byte, from, payee identity.PeerID, origin string,
		amount, ceiling uint64, ahead time.Duration, now time.Time) (covered uint64, err error)
}

// Config of a Gate. Only Ledgers is required.
type Config struct {
	Policy  Policy
	Ledgers Ledgers
	// History is how many decisions Why and DryRun can look back; 0 means 1024.
	History int
	// MaxLedgers is how many ledgers' rates are tracked at a time; 0 means 4096. At the bound
	// the one idle longest is forgotten.
	MaxLedgers int
}

// ErrConfig says that a Config lacks something. Final.
var ErrConfig = fault.Internal("governance: bad config")

// Gate admits jobs. It is safe for concurrent use. No method blocks for longer than Ledgers
// does.
type Gate struct {
	rules   atomic.Pointer[ruleset]
	ledgers Ledgers
	history history
	quota   quota
	serial  atomic.Uint64
}

// New checks c and returns a Gate with c.Policy in force. Errors match ErrConfig
// or ErrPolicyInvalid.
func New(c Config) (*Gate, error) {
	if c.Ledgers == nil {
		return nil, errors.Join(ErrConfig, errors.New("no Ledgers"))
	}
	if c.History < 0 || c.MaxLedgers < 0 {
		return nil, errors.Join(ErrConfig, errors.New("negative bound"))
	}
	if c.History == 0 {
		c.History = 1024
	}
	if c.MaxLedgers == 0 {
		c.MaxLedgers = 4096
	}
	r, err := compile(c.Policy)
	if err != nil {
		return nil, err
	}
	g := &Gate{ledgers: c.Ledgers}
	g.history.init(c.History)
	g.quota.init(c.MaxLedgers)
	g.rules.Store(r)
	return g, nil
}

// Request asks for admission of one job. The Admitted keeps Envelope.Payload and Voucher without
// copying them.
type Request struct {
	Envelope Envelope
	Job      Job
	Voucher  []byte          // signed, as on the wire; nil when none came
	From     identity.PeerID // the sender, authenticated by the channel; zero: local console
	Payee    identity.PeerID // the executing node, which would be paid; zero: any
	Origin   string          // network of From, zero when unknown
	Ahead    time.Duration   // of From's clock to this node's, which the times in Envelope and Job are by
}

// Admit checks the DNA, then the policy, then asks Ledgers whether the job's budget is covered,
// then takes a place in the ledger's rate and concurrency. Call Done with the result when the
// job has ended. It reserves no credit: the ledger's Hold does, and that is where a voucher used
// twice at the same moment is found. Every error is a *Rejection.
func (g *Gate) Admit(req Request, now time.Time) (Admitted, error) {
	r := g.rules.Load()
	// The most frequent invalid job costs least: no allocation, no parsing.
	if req.Envelope.Metadata.CreditLedgerID == "" {
		g.history.refusedEarly(&req, r.missing, now)
		return Admitted{}, r.missing
	}
	id, covered, rej := g.check(r, &req, now)
	ledger := identity.LedgerID(req.Envelope.Metadata.CreditLedgerID)
	if rej == nil {
		serial := g.serial.Add(1)
		deadline := req.Job.Deadline
		if deadline.IsZero() && r.policy.DefaultDeadline > 0 {
			deadline = now.Add(r.policy.DefaultDeadline)
		}
		if rej = g.quota.take(r, ledger, serial, deadline, now); rej == nil {
			a := &admission{envelope: req.Envelope, job: req.Job, voucher: req.Voucher, from: req.From, serial: serial,
				version: r.policy.Version, at: now.UnixNano()}
			a.job.Budget, a.job.Deadline = covered, deadline
			g.history.add(id, &req, nil, r.policy.Version, now)
			return Admitted{a, req.Origin, req.Ahead}, nil
		}
	}
	g.history.add(id, &req, rej, r.policy.Version, now)
	return Admitted{}, rej
}

// check runs everything that has no effect. id is the job's, zero when the DNA check rejects it.
func (g *Gate) check(r *ruleset, req *Request, now time.Time) (id uuid.UUID, covered uint64, rej *Rejection) {
	ledger := identity.LedgerID(req.Envelope.Metadata.CreditLedgerID)
	if len(ledger) > maxLedgerID || !g.quota.knows(ledger) { // a long id is not hashed
		if !ledgerShape(string(ledger)) {
			return id, 0, r.fixed(ErrLedgerMalformed)
		}
		if _, err := ledger.PublicKey(); err != nil {
			return id, 0, r.fixed(ErrLedgerMalformed)
		}
	}
	if id, rej = r.checkEnvelope(&req.Envelope, now); rej != nil {
		return id, 0, rej
	}
	if id, rej = r.checkJob(&req.Job, id, req.Envelope.ID, now); rej != nil {
		return id, 0, rej
	}
	if rej = r.checkRequired(&req.Envelope); rej != nil {
		return id, 0, rej
	}
	if rej = r.checkPolicy(&req.Job, ledger, now); rej != nil {
		return id, 0, rej
	}
	// When this node gives the job to several nodes, each may cost the budget. A node that runs
	// one replica costs it once.
	n := uint64(1)
	if req.From == "" {
		n = uint64(req.Job.ReplicasOrOne())
	}
	if n > 1 && req.Voucher != nil {
		return id, 0, reject(ErrJobMalformed, r.policy.Version, "replicas: one voucher cannot pay several nodes")
	}
	if req.Job.Budget > 1<<60/n {
		return id, 0, r.fixed(ErrOverBudget)
	}
	covered, err := g.ledgers.Authorize(ledger, req.Job.ID, req.Voucher, req.From, req.Payee, req.Origin,
		req.Job.Budget*n, min(r.ceiling(ledger), 1<<60/n)*n, req.Ahead, now)
	if err != nil {
		return id, 0, r.fromLedgers(err)
	}
	if covered /= n; covered == 0 {
		return id, 0, r.fixed(ErrLedgerExhausted)
	}
	return id, covered, nil
}

// fromLedgers turns a ledger's error into a rejection with its code.
func (r *ruleset) fromLedgers(err error) *Rejection {
	kind := ErrCreditRefused
	if s := creditSentinels[fault.Find(err).Code()]; s != nil {
		kind = s
	}
	rej := reject(kind, r.policy.Version, "")
	rej.cause = err
	var detailed interface{ Detail() string }
	switch {
	case kind == ErrCreditRefused:
		rej.Detail = err.Error()
	case errors.As(err, &detailed):
		rej.Detail = detailed.Detail()
	}
	return rej
}

// Done records that the admitted job has ended, which frees its place in the ledger's
// concurrency. Calling it twice, or with the zero Admitted, is harmless.
func (g *Gate) Done(a Admitted) {
	if a.a != nil {
		g.quota.free(a.Ledger(), a.a.serial)
	}
}

// Policy returns the policy in force, without defaults filled in.
func (g *Gate) Policy() Policy { return g.rules.Load().stated }
