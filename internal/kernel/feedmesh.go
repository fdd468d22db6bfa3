package kernel

import (
	"context"
	"errors"
	"fmt"
	"io"

	"inos/internal/capsule"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/supervisor"
)

var _ mesh.FeedHandler = (*Kernel)(nil)

// feedThere streams r into a capsule on another node.
func (k *Kernel) feedThere(ctx context.Context, node identity.PeerID, capsuleID string, r io.Reader, o FeedOptions) (int64, error) {
	m, err := k.theMesh()
	if err != nil {
		return 0, err
	}
	f, ok := m.(mesh.Feeder)
	if !ok {
		return 0, fmt.Errorf("kernel: streams into capsules of other nodes: %w", errors.ErrUnsupported)
	}
	if err := k.mayLeave(ctx, node); err != nil {
		return 0, err
	}
	call := mesh.FeedCall{Envelope: k.message(ctx, mesh.FeedType, o.DNA), Capsule: capsuleID}
	end, err := f.Feed(ctx, node, call, r, o.OnTaken)
	if err == nil && end.Code != capsule.OK {
		err = &FeedError{Node: node, Reply: end.Code, Reason: end.Reason, Message: end.Message}
	}
	return int64(end.Taken), err
}

// HandleFeed takes a stream of another node into a capsule of this one, if the gate
// passes its DNA and from may feed that capsule: whoever spawned it may, others as
// the policy's lifecycle rules say. It implements mesh.FeedHandler.
func (k *Kernel) HandleFeed(ctx context.Context, from identity.PeerID, call mesh.FeedCall, r io.ReadCloser, onTaken func(total uint64)) mesh.FeedEnd {
	taken, err := k.feedFrom(ctx, from, call, r, onTaken)
	k.emit(Fed{at(), from, k.cfg.Self, call.Capsule, taken, err})
	end := feedEnd(err)
	end.Taken = uint64(taken)
	return end
}

func (k *Kernel) feedFrom(ctx context.Context, from identity.PeerID, call mesh.FeedCall, r io.ReadCloser, onTaken func(uint64)) (int64, error) {
	if err := k.pass(call.Envelope, mesh.FeedType); err != nil {
		return 0, err
	}
	if err := k.mayCommand(ctx, from, capsule.Command{Type: capsule.Feed, Target: call.Capsule}); err != nil {
		return 0, err
	}
	return k.feedHere(ctx, call.Capsule, r, r, onTaken)
}

// FeedError is how a stream into a capsule on another node ended there, before its
// time. It matches the error that a stream into a capsule of this node would have
// ended with.
type FeedError struct {
	Node    identity.PeerID
	Reply   capsule.ReplyCode
	Reason  string // stable code
	Message string // what the node says
}

func (e *FeedError) Error() string { return e.Message }

// Is matches the error that goes by the same reason here.
func (e *FeedError) Is(target error) bool {
	for _, f := range feedEnds {
		if f.reason == e.Reason && f.err == target {
			return true
		}
	}
	code, _ := capsule.CodeOf(target)
	return code != "" && code == e.Reason || target == ErrDenied && e.Reply == capsule.Denied
}

// Retryable reports whether the same feed may succeed later.
func (e *FeedError) Retryable() bool {
	for _, f := range feedEnds {
		if f.reason == e.Reason {
			return f.retryable
		}
	}
	return e.Reply == capsule.Crashed // its node may start it again
}

// feedEnds are the ends that are no capsule's own, looked through in order: the more
// telling error first.
var feedEnds = []struct {
	err       error
	reply     capsule.ReplyCode
	reason    string
	retryable bool
}{
	{supervisor.ErrNoCapsule, capsule.UnknownCapsule, "unknown_capsule", false},
	{supervisor.ErrStopped, capsule.Crashed, "capsule_stopped", true},
	{mesh.ErrFeeds, capsule.Limit, "too_many_feeds", true},
	{mesh.ErrTimeout, capsule.Deadline, "timeout", true},
	{mesh.ErrUnreachable, capsule.Refused, "unreachable", true},
	{errors.ErrUnsupported, capsule.Unsupported, "unsupported", false},
	{ErrStopped, capsule.Refused, "kernel_closed", false},
	{context.Canceled, capsule.Refused, "cancelled", false},
}

// feedEnd says in an answer's terms how a feed ended.
func feedEnd(err error) mesh.FeedEnd {
	if err == nil {
		return mesh.FeedEnd{Code: capsule.OK}
	}
	if errors.Is(err, ErrDenied) {
		return mesh.FeedEnd{Code: capsule.Denied, Reason: reasonOf(err), Message: err.Error()}
	}
	for _, f := range feedEnds {
		if errors.Is(err, f.err) {
			return mesh.FeedEnd{Code: f.reply, Reason: f.reason, Message: err.Error()}
		}
	}
	if code, _ := capsule.CodeOf(err); code != "" {
		return mesh.FeedEnd{Code: capsule.Crashed, Reason: code, Message: err.Error()}
	}
	return mesh.FeedEnd{Code: capsule.Crashed, Reason: "capsule_crashed", Message: err.Error()}
}
