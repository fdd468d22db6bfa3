package kernel

import (
	"context"
	"errors"
	"time"

	"inos/internal/credit"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/scheduler"
)

// trusting is a Scorer that weighs a node's score by what this node has seen of
// it: times 1 for a stranger, to the bit, towards 2 for the best and 0 for the
// worst. The index asks whenever something about the node changes, every job
// included.
type trusting struct {
	scheduler.Scorer
	reputation *credit.Reputation
}

// Score implements scheduler.Scorer.
func (t trusting) Score(n scheduler.Node) float64 {
	return t.Scorer.Score(n) * t.reputation.Factor(n.ID, time.Now())
}

// Parts implements scheduler.Scorer. A stranger's are the formula's alone.
func (t trusting) Parts(n scheduler.Node) []scheduler.Part {
	parts := t.Scorer.Parts(n)
	if f := t.reputation.Factor(n.ID, time.Now()); f != 1 {
		parts = append(parts, scheduler.Part{Name: "reputation", Value: f})
	}
	return parts
}

// judge notes what node did with a job. What its capsule did, and what the caller
// gave up, says nothing about the node.
func (k *Kernel) judge(ctx context.Context, node identity.PeerID, out mesh.JobOutcome, err error) {
	if k.cfg.Reputation == nil || node == k.cfg.Self {
		return
	}
	deed, known := deedOf(ctx, out, err)
	if known {
		k.cfg.Reputation.Note(node, deed, time.Now())
	}
}

func deedOf(ctx context.Context, out mesh.JobOutcome, err error) (d credit.Deed, known bool) {
	switch {
	case errors.Is(err, ErrResult):
		return credit.DeedDisagree, true
	case err != nil && ctx.Err() == nil && (errors.Is(err, mesh.ErrUnreachable) || errors.Is(err, mesh.ErrTimeout) || errors.Is(err, mesh.ErrProtocol)):
		return credit.DeedFailed, true
	case err != nil:
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return credit.DeedLate, true
		}
		return 0, false
	}
	switch out.Code {
	case mesh.JobOK:
		if ctx.Err() != nil {
			return credit.DeedLate, true
		}
		return credit.DeedDone, true
	case mesh.JobDeadline:
		return credit.DeedLate, true
	case mesh.JobInternal:
		return credit.DeedFailed, true
	}
	return 0, false
}
