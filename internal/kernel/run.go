package kernel

import (
	"context"
	"errors"
	"fmt"
	"time"

	"inos/internal/capsule"
	"inos/internal/governance"
	"inos/internal/mesh"
	"inos/internal/threads/matchmaker"
)

// ErrResult says that a node's result does not hold what it claims: the bytes do
// not match their CID, or the receipt is wrong. Another node is tried.
var ErrResult = errors.New("kernel: node returned a wrong result")

// runner hands jobs over: to this node's own capsules, or through the mesh.
type runner struct{ k *Kernel }

// Run implements matchmaker.Runner.
func (r runner) Run(ctx context.Context, a governance.Admitted, p matchmaker.Placement) (mesh.JobOutcome, error) {
	k, job := r.k, a.Job()
	var sub *Submission
	if err := k.loop.ask(ctx, func(s *state) {
		if j := s.jobs.get(job.ID, ""); j != nil {
			sub = j.sub
		}
	}); err != nil {
		return mesh.JobOutcome{}, err
	}
	if sub == nil {
		return mesh.JobOutcome{}, fmt.Errorf("%w: job %s is not in the table", ErrStopped, job.ID)
	}
	progress := k.progress(job.ID, sub.OnProgress)
	if p.Node == k.cfg.Self {
		return k.execute(ctx, a, sub.Input, k.fetchFromPeers, progress), nil
	}
	return k.runAway(ctx, a, p, sub, progress)
}

// runAway sends the job to p and checks what comes back.
func (k *Kernel) runAway(ctx context.Context, a governance.Admitted, p matchmaker.Placement, sub *Submission, progress func(mesh.Progress)) (mesh.JobOutcome, error) {
	m, err := k.theMesh()
	if err != nil {
		return mesh.JobOutcome{}, err
	}
	call := mesh.JobCall{Envelope: a.Envelope(), Job: sub.Job, Voucher: a.Voucher(), Input: sub.Input}
	promised := false
	if k.cfg.Wallet != nil && call.Voucher == nil {
		if call.Voucher, err = k.cfg.Wallet.Promise(a, p.Node, time.Now()); err != nil {
			return mesh.JobOutcome{Code: mesh.JobCreditExhausted}, err
		}
		promised = true
	}
	out, err := m.RunJob(ctx, p.Node, call, progress)
	if err == nil && out.Code == mesh.JobOK {
		err = checkResult(out)
	}
	out.Node = p.Node
	if !promised {
		return out, err
	}
	if err == nil && out.Code == mesh.JobOK {
		if err = k.cfg.Wallet.Pay(a, out, time.Now()); err == nil {
			return out, nil
		}
		err = fmt.Errorf("%w: %w", ErrResult, err)
	}
	k.cfg.Wallet.Withdraw(a, p.Node, time.Now())
	return out, err
}

func checkResult(out mesh.JobOutcome) error {
	if got := capsule.SumCID(out.Output).String(); got != out.OutputCID {
		return fmt.Errorf("%w: output is %s, not %s", ErrResult, got, out.OutputCID)
	}
	return nil
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

// fetchFromAtMost bounds how many peers are asked for a capsule.
const fetchFromAtMost = 8

// fetchFromPeers looks for a capsule on the connected peers, one after the other.
func (k *Kernel) fetchFromPeers(ctx context.Context, cid capsule.CID) (mesh.Blob, error) {
	m, err := k.theMesh()
	if err != nil {
		return mesh.Blob{}, err
	}
	failed := fmt.Errorf("%w: %s", mesh.ErrNotFound, cid)
	for i, p := range m.Peers() {
		if i == fetchFromAtMost {
			break
		}
		blob, err := m.FetchCapsule(ctx, p.Profile.Peer, cid)
		if err == nil {
			return blob, nil
		}
		failed = fmt.Errorf("%w; %w", failed, err)
	}
	return mesh.Blob{}, failed
}
