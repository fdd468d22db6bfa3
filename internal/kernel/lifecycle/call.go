package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"inos/internal/budget"
	"inos/internal/capsule"
	"inos/internal/fault"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/supervisor"
	"inos/internal/threads/matchmaker"
)

var _ mesh.CallHandler = (*Service)(nil)

// callee is the part of Capsules that can be called. *supervisor.Supervisor has it.
type callee interface {
	Call(ctx context.Context, capsuleID string, limit time.Duration, task capsule.Task, onProgress func(done, total uint64)) ([]byte, error)
}

// CallOptions of one call. The zero value will do.
type CallOptions struct {
	// DNA goes with a call to another node; what it leaves out is filled in.
	DNA governance.Metadata
	// OnProgress may be nil; it must not block.
	OnProgress func(mesh.Progress)
}

// CallOutcome is what a call came to.
type CallOutcome struct {
	Output []byte
	Run    time.Duration // as the capsule's node measured it, its waiting for its turn included
}

// Call does task on the very capsule that this node spawned on node, which may be this
// one (or zero, for this one): the one way to reach a spawned instance. A call costs
// nothing besides the capsule's time, which its ledger pays for as long as it lives.
// An instance does one call at a time. Nobody but the spawner may call, whatever the
// policy says; its limit on a run is the call's, too. Errors match ErrDenied,
// supervisor.ErrNoCapsule, ErrStopped, ErrPaused, ErrCalls or ErrTimeLimit,
// errors.ErrUnsupported, those of capsule.Capsule.Run, or ctx's; from another node they
// are a *CallError, which matches the same, or the mesh's.
func (s *Service) Call(ctx context.Context, node identity.PeerID, capsuleID string, task capsule.Task, o CallOptions) (CallOutcome, error) {
	if node == "" || node == s.cfg.Self {
		output, took, err := s.callHere(ctx, "", capsuleID, task, o.OnProgress)
		return CallOutcome{Output: output, Run: took}, err
	}
	m, err := s.cfg.Node.Mesh()
	if err != nil {
		return CallOutcome{}, err
	}
	caller, ok := m.(mesh.Caller)
	if !ok {
		return CallOutcome{}, fmt.Errorf("kernel: calls of capsules on other nodes: %w", errors.ErrUnsupported)
	}
	if err := s.cfg.AuthorizeTransfer(ctx, node); err != nil {
		return CallOutcome{}, err
	}
	out, err := caller.Call(ctx, node, mesh.CapsuleCall{
		Envelope: s.cfg.Node.Message(ctx, mesh.CallType, o.DNA), Capsule: capsuleID, Method: task.Method, Args: task.Args, Input: task.Input,
	}, o.OnProgress)
	switch {
	case err != nil:
		return CallOutcome{}, err
	case out.Code != mesh.JobOK:
		return CallOutcome{}, &CallError{matchmaker.NodeError(node, out)}
	}
	if err := out.CheckOutput(); err != nil {
		return CallOutcome{}, err
	}
	return CallOutcome{Output: out.Output, Run: out.Run}, nil
}

// HandleCall calls a capsule of this node for another one, if the gate passes its DNA
// and it is from who spawned that capsule. It implements mesh.CallHandler.
func (s *Service) HandleCall(ctx context.Context, from identity.PeerID, call mesh.CapsuleCall, onProgress func(mesh.Progress)) mesh.JobOutcome {
	out := mesh.JobOutcome{Node: s.cfg.Self}
	room := s.cfg.Memory.Lease(budget.Outputs)
	output, took, err := s.callFrom(ctx, from, call, room, onProgress)
	if out.Run = took; err != nil {
		room.End()
		out.Code, out.Reason, out.Message = s.callCode(err), callReason(err), mesh.ShortMessage(err.Error())
		return out
	}
	out.Output, out.OutputCID, out.Sent = output, capsule.SumCID(output).String(), room.End
	return out
}

func (s *Service) callFrom(ctx context.Context, from identity.PeerID, call mesh.CapsuleCall, room *budget.Lease, onProgress func(mesh.Progress)) ([]byte, time.Duration, error) {
	if err := s.cfg.Node.Pass(call.Envelope, mesh.CallType); err != nil {
		return nil, 0, err
	}
	// Before the input is read: nothing is kept for whoever may not call.
	if err := s.authorizeCall(from, call.Capsule); err != nil {
		return nil, 0, err
	}
	lease := s.cfg.Memory.Lease(budget.Inputs)
	defer lease.End()
	if err := lease.Hold(call.InputLength()); err != nil {
		return nil, 0, err
	}
	input, err := call.ReadInput(ctx)
	if err != nil {
		return nil, 0, err
	}
	return s.callHere(ctx, from, call.Capsule, capsule.Task{Method: call.Method, Args: call.Args, Input: input, Room: room.Hold}, onProgress)
}

// callHere calls a capsule of this node, which from has spawned.
func (s *Service) callHere(ctx context.Context, from identity.PeerID, id string, task capsule.Task, onProgress func(mesh.Progress)) (output []byte, took time.Duration, err error) {
	to, ok := s.cfg.Capsules.(callee)
	if !ok {
		return nil, 0, fmt.Errorf("kernel: calls of capsules: %w", errors.ErrUnsupported)
	}
	if err := s.authorizeCall(from, id); err != nil {
		return nil, 0, err
	}
	_, limit := s.cfg.Gate.Limits()
	var report func(done, total uint64)
	if onProgress != nil {
		report = func(done, total uint64) { onProgress(mesh.Progress{Done: done, Total: total}) }
	}
	began := time.Now()
	output, err = to.Call(ctx, id, limit, task, report)
	return output, time.Since(began), err
}

// authorizeCall lets from call the capsule that it has spawned here, and nobody else: a
// spawned instance serves its spawner alone, whatever the lifecycle rules say. Errors
// match ErrDenied.
func (s *Service) authorizeCall(from identity.PeerID, id string) error {
	if s.spawner(id) != from {
		return fmt.Errorf("%w: capsule %.80q can be called by whoever spawned it, and that was somebody else", ErrDenied, id)
	}
	if s.metering.isDry(id) {
		return fmt.Errorf("%w: the ledger that pays for capsule %.80q has run dry", ErrDenied, id)
	}
	return nil
}

// callEnds are the failures of a call that are no capsule's own.
var callEnds = []*fault.Error{
	supervisor.ErrNoCapsule, supervisor.ErrPaused, supervisor.ErrCalls, supervisor.ErrStopped, supervisor.ErrTimeLimit, ErrDenied,
}

// CallError is how a call of a capsule on another node failed there. It matches the
// error that a call of a capsule of this node would have failed with.
type CallError struct{ *matchmaker.JobError }

func (e *CallError) Error() string { return fmt.Sprintf("kernel: on %s: %s", e.Node, e.Message) }

// Unwrap is what the node said.
func (e *CallError) Unwrap() error { return e.JobError }

// Is matches the error that goes by the same reason here.
func (e *CallError) Is(target error) bool {
	here, ok := target.(*fault.Error)
	return ok && here.Code() == e.Reason && (slices.Contains(callEnds, here) || here.Of("capsule"))
}

// Fault is the error that goes by the same reason here, or what the node said.
func (e *CallError) Fault() *fault.Error {
	for _, here := range callEnds {
		if here.Code() == e.Reason {
			return here
		}
	}
	return e.JobError.Fault()
}

// callCode says in the mesh's terms how a call failed.
func (s *Service) callCode(err error) mesh.JobCode {
	switch {
	case errors.Is(err, ErrDenied):
		return mesh.JobRejected
	case errors.Is(err, supervisor.ErrNoCapsule):
		return mesh.JobUnknownCapsule
	case errors.Is(err, supervisor.ErrPaused), errors.Is(err, supervisor.ErrCalls), errors.Is(err, supervisor.ErrStopped):
		return mesh.JobBusy
	}
	return s.cfg.JobCode(err)
}

// callReason is the stable code of a failed call.
func callReason(err error) string {
	if e := fault.Among(err, func(e *fault.Error) bool { return mesh.Tells(e) || slices.Contains(callEnds, e) }); e != nil {
		return e.Code()
	}
	return ""
}
