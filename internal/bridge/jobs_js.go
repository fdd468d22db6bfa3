package bridge

import (
	"context"
	"errors"
	"syscall/js"
	"time"

	"inos/internal/console"
	"inos/internal/fault"
	"inos/internal/identity"
	"inos/internal/kernel"
	"inos/internal/kernel/placement"
	"inos/internal/submit"
)

// order reads a DispatchOptions argument of a call that was made at asked.
func (a *api) order(verb string, v js.Value, asked time.Time) (submit.Order, error) {
	if v.Type() != js.TypeObject {
		return submit.Order{}, badArgument(verb, "job", "an object like {capsule, method, input, requires, creditLedgerId}", kindOf(v))
	}
	var d console.DispatchOptions
	if err := object(verb, "job", v, &d); err != nil {
		return submit.Order{}, err
	}
	if d.Capsule == "" {
		return submit.Order{}, badArgument(verb, "job.capsule", "a name or a CID", "nothing")
	}
	cid, err := a.cfg.Library.Resolve(d.Capsule)
	if err != nil {
		return submit.Order{}, err
	}
	return orderOf(d, cid, a.cfg.Kernel.Self(), asked), nil
}

// askedAt is the time at which the page made a call. v is milliseconds since its time origin's
// epoch, or nothing for now. The difference to the clock here is the time that the call was on its
// way: both scopes count from one origin by a clock that is never set.
func askedAt(v js.Value, now time.Time) time.Time {
	clock := js.Global().Get("performance")
	if v.Type() != js.TypeNumber || clock.Type() != js.TypeObject {
		return now
	}
	ago := clock.Get("timeOrigin").Float() + clock.Call("now").Float() - v.Float()
	if !(ago > 0) || ago > mostDeadline {
		return now
	}
	return now.Add(-time.Duration(ago * float64(time.Millisecond)))
}

func (a *api) dispatch(ctx context.Context, args []js.Value) (any, error) {
	now := time.Now()
	asked := askedAt(arg(args, 1), now)
	order, err := a.order("dispatch", arg(args, 0), asked)
	if err != nil {
		return nil, err
	}
	if d := order.Deadline; !d.IsZero() && !now.Before(d) {
		return nil, failed(fault.Deadline, "dispatch: the deadline of %v has passed: the call waited %v for the kernel, which was busy with others",
			d.Sub(asked), now.Sub(asked).Round(time.Millisecond))
	}
	sub, err := submit.New(order, time.Now())
	if err != nil {
		return nil, err
	}
	out, err := a.cfg.Kernel.Dispatch(ctx, sub)
	a.history.add(sub.Job.ID, pastJob{input: sub.Job.InputLength, output: uint64(len(out.Output)), score: out.Score, decision: out.Decision, node: out.Node})
	if err != nil {
		return nil, err
	}
	names := a.names(ctx, append(nodesIn(out.Decision.Explanation), out.Node))
	return console.DispatchResult{
		JobID: out.JobID, Node: string(out.Node), NodeName: names[out.Node], Local: out.Local, Score: out.Score,
		Considered: considered(out.Decision.Explanation, names, out.Node), Why: placement.Reason(out.Decision.Explanation, out.Node),
		Output: out.Output, Text: textOf(out.Output), OutputCID: out.OutputCID, Cost: out.Cost, Paid: len(out.Receipt) > 0,
		CapsuleBytes: out.Fetched, Attempts: len(out.Attempts),
		QueuedMs: console.Ms(out.Queued), RunMs: console.Ms(out.Run), TotalMs: console.Ms(out.Total),
	}, nil
}

// cancel ends a job; its dispatch rejects as cancelled.
func (a *api) cancel(ctx context.Context, args []js.Value) (any, error) {
	id, err := text("cancel", "jobId", arg(args, 0))
	if err != nil {
		return nil, err
	}
	if err := a.cfg.Kernel.Cancel(ctx, id); err != nil {
		return nil, err
	}
	return console.Cancelled{JobID: id}, nil
}

func (a *api) explain(ctx context.Context, args []js.Value) (any, error) {
	if v := arg(args, 0); v.Type() == js.TypeString {
		return a.explainJob(ctx, v.String())
	}
	order, err := a.order("explain", arg(args, 0), time.Now())
	if err != nil {
		return nil, err
	}
	sub, err := submit.New(order, time.Now())
	if err != nil {
		return nil, err
	}
	d, err := a.cfg.Kernel.Explain(ctx, sub.Job)
	if err != nil {
		return nil, err
	}
	var best identity.PeerID
	if len(d.Top) > 0 {
		best = d.Top[0].Node.ID
	}
	names := a.names(ctx, nodesIn(d))
	return explanation(sub.Job.ID, placement.Decision{Explanation: d, Counted: true}, names, best), nil
}

// explainJob looks for a job under way, then for a past one: the history goes back further than the
// kernel.
func (a *api) explainJob(ctx context.Context, id string) (any, error) {
	d, node, err := a.cfg.Kernel.Decision(ctx, id)
	if err != nil && !errors.Is(err, kernel.ErrNoJob) {
		return nil, err
	}
	if past, ok := a.history.get(id); err != nil && ok {
		d, node, err = past.decision, past.node, nil
	}
	if err == nil {
		return explanation(id, d, a.names(ctx, append(nodesIn(d.Explanation), node)), node), nil
	}
	jobs, err := a.cfg.Kernel.Jobs(ctx)
	if err != nil {
		return nil, err
	}
	for _, j := range jobs {
		if j.ID == id {
			return foreign(j, a.names(ctx, []identity.PeerID{j.Node, j.From})), nil
		}
	}
	return nil, failed(kernel.ErrNoJob, "explain: no job %.60q was dispatched from here", id)
}
