package kernel

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"strings"
	"time"

	"inos/internal/capsule"
	"inos/internal/credit"
	"inos/internal/governance"
	"inos/internal/mesh"
	"inos/internal/supervisor"
)

var (
	errFetch  = errors.New("kernel: capsule could not be had")
	errBudget = errors.New("kernel: the job's budget is used up")
)

// execute runs an admitted job on this node's own capsules. The caller has taken
// a slot. It returns when the job has ended; ctx's end ends it. terms.Amount is the most
// that it may cost; less is held when its time is short, and only that may be billed.
func (k *Kernel) execute(ctx context.Context, a governance.Admitted, terms Terms, input []byte, fetch mesh.FetchFunc, onProgress func(mesh.Progress)) mesh.JobOutcome {
	job := a.Job()
	out := mesh.JobOutcome{JobID: job.ID, Node: k.cfg.Self}
	fail := func(err error) mesh.JobOutcome {
		out.Code, out.Reason, out.Message = codeOf(err), codeText(err), shortened(err.Error())
		return out
	}
	cid, err := capsule.ParseCID(job.Capsule)
	if err != nil {
		return fail(fmt.Errorf("%w: %w", errFetch, err))
	}
	_, had := span(ctx, "fetch")
	blob, fetched, err := k.haveCapsule(ctx, cid, fetch)
	if err != nil || fetched > 0 {
		had(spanCode(out, err)) // one that was here already is not worth a span
	}
	switch {
	case err != nil && ctx.Err() == context.DeadlineExceeded:
		return fail(ctx.Err())
	case err != nil:
		return fail(err)
	}
	out.FetchedBytes = fetched
	if err := k.cfg.Gate.Start(a, blob.Manifest, blob.Publisher); err != nil {
		return k.refuse(out, a.From(), err)
	}
	now := k.cfg.Now()
	limits, byBudget := k.limits(job, terms.Amount, blob.Manifest, now)
	if limits.Time > 0 {
		terms.Amount, terms.Until = min(terms.Amount, credit.Bound(k.cfg.CreditCost, limits.Time)), now.Add(min(limits.Time, longestRun))
	}
	var earning Earning
	if k.cfg.Wallet != nil {
		switch earning, err = k.cfg.Wallet.Earn(a, terms, now); {
		case heldUp(err):
			out.Code, out.Message, out.Reason = mesh.JobBusy, err.Error(), codeText(err)
			return out
		case err != nil:
			out.Code, out.Message, out.Reason = mesh.JobCreditExhausted, err.Error(), codeText(err)
			return out
		}
		if left := earning.Until().Sub(now); limits.Time == 0 || left < limits.Time {
			limits.Time, byBudget = max(left, time.Millisecond), false
		}
	}
	task := capsule.Task{Method: job.Method, Args: job.Args, Input: input}
	running, ran := span(ctx, "run")
	started := k.cfg.Now()
	report, stop := k.metered(started, terms.Amount, onProgress)
	output, err := k.cfg.Capsules.Run(running, cid, limits, task, report)
	stop()
	finished := k.cfg.Now()
	out.Run = finished.Sub(started)
	if err != nil && byBudget && ctx.Err() == nil && out.Run >= limits.Time {
		err = fmt.Errorf("%w: %w", errBudget, err)
	}
	ran(spanCode(out, err))
	switch {
	case err == nil:
		out.Output, out.OutputCID = output, capsule.SumCID(output).String()
	case errors.Is(err, errBudget):
		// The work was done as far as the money went: that far it is paid for, or a
		// budget of nothing would buy a node's time.
		out.Code, out.Message = mesh.JobCreditExhausted, err.Error()
	case k.ownEnd(ctx, err):
		if earning != nil {
			earning.Refund(finished)
		}
		return fail(err)
	default: // so is what the job itself, its deadline or its sender ended
		fail(err)
	}
	out.Cost = k.costOf(out.Run, terms.Amount)
	if earning != nil {
		_, settled := span(ctx, "settle")
		out.Receipt, err = earning.Collect(Work{
			CapsuleCID: job.Capsule, InputCID: capsule.SumCID(input).String(), OutputCID: out.OutputCID,
			Cost: out.Cost, Started: started, Finished: finished, Code: out.Code,
		}, finished)
		settled(codeText(err))
		if err != nil {
			out.Output, out.OutputCID, out.Cost = nil, "", 0
			if out.Code == mesh.JobOK {
				return fail(err)
			}
		}
	}
	return out
}

// ownEnd reports whether a run ended through this node's own doing: nothing is owed
// for it. A capsule that fell silent, or did not let go when its time was over, was killed
// for that.
func (k *Kernel) ownEnd(ctx context.Context, err error) bool {
	switch code := codeOf(err); {
	case k.life.Err() != nil, errors.Is(context.Cause(ctx), errHandBack), !chargeable(code):
		return true
	case code == mesh.JobCrashed && ctx.Err() == nil:
		return errors.Is(err, capsule.ErrKilled) && !errors.Is(err, supervisor.ErrNoHeartbeat)
	}
	return false
}

// maxMessage is how much of what a capsule says of its failure travels, in bytes: it is
// no way to bring a result home.
const maxMessage = 512

func shortened(s string) string {
	if len(s) <= maxMessage {
		return s
	}
	return strings.ToValidUTF8(s[:maxMessage], "") + "…"
}

// haveCapsule returns a capsule of this node, after fetching it if it is not
// here. fetched counts the bytes that travelled.
func (k *Kernel) haveCapsule(ctx context.Context, cid capsule.CID, fetch mesh.FetchFunc) (blob mesh.Blob, fetched uint64, err error) {
	if k.cfg.Blobs.Has(cid) {
		if blob, err = k.cfg.Blobs.Capsule(ctx, cid); err == nil {
			return blob, 0, nil
		}
	}
	if fetch == nil {
		return mesh.Blob{}, 0, fmt.Errorf("%w: %s is not on this node", errFetch, cid)
	}
	if blob, err = fetch(ctx, k.fetchCall(ctx, cid)); err != nil {
		return mesh.Blob{}, 0, fmt.Errorf("%w: %w", errFetch, err)
	}
	// Accept checks the bytes against the manifest's CID; this one against the job's.
	if capsule.SumCID(blob.Wasm) != cid {
		return mesh.Blob{}, 0, fmt.Errorf("%w: bytes are not those of %s", errFetch, cid)
	}
	if err = k.cfg.Blobs.Accept(blob); err != nil {
		return mesh.Blob{}, 0, fmt.Errorf("%w: %w", errFetch, err)
	}
	return blob, uint64(len(blob.Wasm)), nil
}

// limits of a run: the capsule's own, cut to what the policy, the deadline and the
// budget leave. byBudget says that the budget is the shortest.
func (k *Kernel) limits(job governance.Job, budget uint64, m capsule.Manifest, now time.Time) (l Limits, byBudget bool) {
	l = Limits{MemoryBytes: m.MemoryLimit, Time: m.TimeLimit}
	memory, run := k.cfg.Gate.Limits()
	if l.MemoryBytes == 0 || memory < l.MemoryBytes {
		l.MemoryBytes = memory
	}
	if l.Time == 0 || run < l.Time {
		l.Time = run
	}
	if left := job.Deadline.Sub(now); !job.Deadline.IsZero() && (l.Time == 0 || left < l.Time) {
		l.Time = max(left, time.Millisecond)
	}
	if paid := affordable(budget, k.cfg.CreditCost); paid > 0 && (l.Time == 0 || paid < l.Time) {
		l.Time, byBudget = paid, true
	}
	return l, byBudget
}

// affordable is how long a budget lasts at cost microcredits a second; 0 means
// without end.
func affordable(budget, cost uint64) time.Duration {
	if budget == 0 || cost == 0 {
		return 0
	}
	hi, lo := bits.Mul64(budget, uint64(time.Second))
	if hi >= cost || hi > 0 && hi>>31 > 0 {
		return 0
	}
	ns, _ := bits.Div64(hi, lo, cost)
	if ns > 1<<62 {
		return 0
	}
	return max(time.Duration(ns), time.Nanosecond)
}

// costOf is what a run costs: the node's rate times the seconds it took, rounded
// up, at least 1 microcredit and never above the budget, which limits has cut the
// run to.
func (k *Kernel) costOf(run time.Duration, budget uint64) uint64 {
	cost := runCost(k.cfg.CreditCost, run)
	if budget > 0 {
		cost = min(cost, budget)
	}
	return cost
}

// runCost is ceil(rate * run seconds), at least 1; it saturates.
func runCost(rate uint64, run time.Duration) uint64 {
	hi, lo := bits.Mul64(rate, uint64(max(run, 0)))
	if hi >= uint64(time.Second) {
		return 1<<64 - 1
	}
	cost, rest := bits.Div64(hi, lo, uint64(time.Second))
	if rest > 0 && cost < 1<<64-1 {
		cost++
	}
	return max(cost, 1)
}

// codeText is the stable code that an error carries, if it does.
func codeText(err error) string {
	var coded interface{ Code() string }
	if errors.As(err, &coded) {
		return coded.Code()
	}
	code, _ := capsule.CodeOf(err)
	return code
}
