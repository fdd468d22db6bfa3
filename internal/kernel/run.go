package kernel

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"inos/internal/credit"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/kernel/placement"
	"inos/internal/mesh"
	"inos/internal/threads/matchmaker"
)

// runner sends jobs to this node's own capsules, or through the mesh.
type runner struct{ k *Kernel }

// Run implements matchmaker.Runner.
func (r runner) Run(ctx context.Context, submitted matchmaker.Job, p matchmaker.Placement, alive func()) (mesh.JobOutcome, error) {
	k, j := r.k, submitted.(*job)
	if err := ctx.Err(); err != nil { // the job has ended since it was placed: nothing is promised for it
		return mesh.JobOutcome{}, err
	}
	if j.run != nil {
		return k.runReplicas(ctx, j.run, p)
	}
	a, sub, o := j.admitted, j.sub, offerOf(p)
	var running runClock
	progress := news(running.started(k.progress(sub.Job.ID, sub.OnProgress)), k.working(p, alive))
	if p.Node == k.cfg.Self {
		out := k.execute(ctx, a, o.terms, sub.Input, k.fetchFromPeers, progress)
		if k.outlasted(ctx, j, o, out) {
			return out, again(o, out)
		}
		return out, finalLocal(p.Node, out)
	}
	began := time.Now()
	out, promised, err := k.send(ctx, a, p, o, sub, progress)
	if promised {
		err = k.settle(ctx, a, &out, time.Since(began), err)
	}
	k.judge(ctx, p.Node, out, err)
	switch {
	case err == nil && k.outlasted(ctx, j, o, out):
		return out, again(o, out)
	case err == nil && out.Code == mesh.JobCreditExhausted && sub.Job.Budget == 0 && out.Cost < o.terms.Amount:
		// The node's policy, or its credit line for this payer, allows no more.
		short := matchmaker.NodeError(p.Node, out)
		short.Paid = false // another node may allow it
		return out, short
	}
	if err != nil && out.Run == 0 {
		out.Run = running.elapsed()
	}
	return out, err
}

// working returns alive. For a job at a stranger its first call also tells the loop that the node
// works.
func (k *Kernel) working(p matchmaker.Placement, alive func()) func() {
	var once sync.Once
	return func() {
		alive()
		// Without a loop no node is chosen.
		once.Do(func() {
			_ = k.loop.tell(k.life, func(s *state) { s.nodes.Working(placement.SlotOf(p), p.Node, time.Now()) })
		})
	}
}

// again is the error of a run that has used up what was set aside for it. The run has been paid;
// the job is repeated with more.
func again(o offer, out mesh.JobOutcome) error {
	return fmt.Errorf("%w: %d microcredits were set aside for %v of it and it ran on; more is set aside the next time", matchmaker.ErrRepeat, o.terms.Amount, out.Run)
}

// runClock has the time since which a job runs, as far as its node reports.
type runClock struct{ since atomic.Pointer[time.Time] }

// started passes reports on and records the time of the first one of a job that runs: from then on
// it costs something.
func (c *runClock) started(report func(mesh.Progress)) func(mesh.Progress) {
	return func(p mesh.Progress) {
		if p.Cost > 0 && c.since.Load() == nil {
			now := time.Now()
			c.since.CompareAndSwap(nil, &now)
		}
		report(p)
	}
}

func (c *runClock) elapsed() time.Duration {
	since := c.since.Load()
	if since == nil {
		return 0
	}
	return time.Since(*since)
}

// known is an error that this node has found itself: it holds on every node.
type known struct{ error }

func (e known) Unwrap() error { return e.error }

// Final implements matchmaker.Final.
func (known) Final() bool { return true }

// finalLocal makes a final failure that this node itself reports final for the job: it is not
// retried elsewhere. Another node's word is not enough for that.
func finalLocal(self identity.PeerID, out mesh.JobOutcome) error {
	switch out.Code {
	case mesh.JobRejected, mesh.JobCreditExhausted, mesh.JobBadCapsule, mesh.JobFailed:
		return known{matchmaker.NodeError(self, out)}
	}
	return nil
}

// send runs the job on p's node and checks the output. promised says that money is held for it;
// settle must follow.
func (k *Kernel) send(ctx context.Context, a governance.Admitted, p matchmaker.Placement, o offer, sub *Submission, progress func(mesh.Progress)) (out mesh.JobOutcome, promised bool, err error) {
	ctx, end := span(ctx, "transfer")
	defer func() { end(spanCode(out, err)) }()
	node := p.Node
	out.Node = node
	m, err := k.Mesh()
	if err != nil {
		return out, false, err
	}
	terms := o.terms
	terms.Until = o.Until(a.Job(), k.cfg.Now())
	if a.Job().Deadline.IsZero() { // the promise to a node that has not answered by then is over
		var done context.CancelFunc
		ctx, done = context.WithDeadline(ctx, terms.Until)
		defer done()
	}
	call := mesh.JobCall{Envelope: sending(ctx, a.Envelope()), Job: sub.Job, Voucher: a.Voucher(), Input: sub.Input}
	call.Job.Budget = min(call.Job.Budget, terms.Amount) // no node takes a voucher for less
	if k.cfg.Payments != nil && call.Voucher == nil {
		if call.Voucher, err = k.cfg.Payments.Promise(a, node, terms, k.cfg.Now()); heldUp(err) {
			return out, false, fmt.Errorf("%w: %w", matchmaker.ErrRepeat, err) // another attempt was faster
		} else if err != nil {
			out.Code = mesh.JobCreditExhausted
			return out, false, known{err} // the same ledger pays on every node
		}
		promised = true
	}
	began := time.Now()
	out, err = m.RunJob(ctx, node, call, func(p mesh.Progress) {
		p.Cost = min(p.Cost, terms.Amount)
		progress(p)
	})
	if !promised { // this node's books do not pay for it
		out.Cost = min(out.Cost, terms.Amount)
	}
	if err == nil && out.Code == mesh.JobOK {
		err = out.CheckOutput()
	} else if err == nil && out.Code == mesh.JobCreditExhausted && out.Claims() && sub.Job.Budget > 0 && terms.Amount > credit.Bound(p.Price, time.Since(began)) {
		// A job without a budget of its own has the node's, which may be smaller.
		err = fmt.Errorf("%w: it cannot have used up the budget by now", mesh.ErrResult)
	}
	returned(ctx, node, out.Spans)
	out.Node, out.Spans = node, nil
	return out, promised, err
}

// settle pays for the work of node, or takes the promise back. Receipt and cost stay in out only if
// they have been settled. It takes back only what cannot have been earned: a node that was given up
// may have done the work and settled it in its own books, so that its hold waits until the node
// tells what became of it, or its voucher expires.
func (k *Kernel) settle(ctx context.Context, a governance.Admitted, out *mesh.JobOutcome, took time.Duration, err error) error {
	_, end := span(ctx, "settle")
	code, paid := mesh.Reason(err), false
	switch {
	case err == nil && out.Claims():
		if failed := k.cfg.Payments.Pay(a, *out, took, k.cfg.Now()); badReceipt(failed) {
			k.cfg.Payments.Withdraw(a, out.Node, k.cfg.Now())
			err = fmt.Errorf("%w: %w", mesh.ErrResult, failed)
			code = mesh.Reason(failed)
		} else if failed != nil {
			// This node's own books could not be written now. The work is done and its hold waits:
			// the node is asked for the receipt again.
			k.cfg.Payments.GiveUp(a, out.Node)
			code = mesh.Reason(failed)
		} else {
			paid = true
		}
	case err == nil, errors.Is(err, mesh.ErrResult), errors.Is(err, mesh.ErrUnsent):
		k.cfg.Payments.Withdraw(a, out.Node, k.cfg.Now())
	default:
		k.cfg.Payments.GiveUp(a, out.Node)
	}
	if !paid { // whatever the node bills
		out.Receipt, out.Cost = nil, 0
	}
	end(code)
	return err
}

// badReceipt distinguishes a receipt that will never be paid from a ledger that could not write
// now, or that has settled or refunded the hold before.
func badReceipt(err error) bool {
	for _, bad := range []error{credit.ErrReceiptMalformed, credit.ErrReceiptForged, credit.ErrReceiptMismatch, credit.ErrReceiptUnknown, credit.ErrOverHold} {
		if errors.Is(err, bad) {
			return true
		}
	}
	return false
}

// progress passes reports on to the table, the subscribers and onProgress.
func (k *Kernel) progress(id string, onProgress func(mesh.Progress)) func(mesh.Progress) {
	return func(p mesh.Progress) {
		k.emit(JobProgress{at(), id, p})
		if onProgress != nil {
			onProgress(p)
		}
	}
}

// news calls alive for every report that says something new: a node's mesh repeats the last one for
// as long as the connection lives.
func news(report func(mesh.Progress), alive func()) func(mesh.Progress) {
	var mu sync.Mutex
	var last mesh.Progress
	return func(p mesh.Progress) {
		mu.Lock()
		fresh := p != last
		last = p
		mu.Unlock()
		if fresh {
			alive()
		}
		report(p)
	}
}

// fetchFromAtMost bounds how many peers are asked for a capsule.
const fetchFromAtMost = 8

// fetchFromPeers looks for a capsule on some of the connected peers, one after the other. It asks
// others each time, so that in the end it finds what only one of many has.
func (k *Kernel) fetchFromPeers(ctx context.Context, call mesh.FetchCall) (mesh.Blob, error) {
	m, err := k.Mesh()
	if err != nil {
		return mesh.Blob{}, err
	}
	failed := fmt.Errorf("%w: %s", mesh.ErrNotFound, call.CID)
	peers := slices.Clone(m.Peers())
	rand.Shuffle(len(peers), func(i, j int) { peers[i], peers[j] = peers[j], peers[i] })
	for _, p := range peers[:min(len(peers), fetchFromAtMost)] {
		blob, err := m.FetchCapsule(ctx, p.Profile.Peer, call)
		if err == nil {
			return blob, nil
		}
		failed = fmt.Errorf("%w; %w", failed, err)
	}
	return mesh.Blob{}, failed
}
