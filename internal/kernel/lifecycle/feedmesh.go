package lifecycle

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"inos/internal/capsule"
	"inos/internal/fault"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/supervisor"
)

var _ mesh.FeedHandler = (*Service)(nil)

// feedThere streams r into a capsule on another node.
func (s *Service) feedThere(ctx context.Context, node identity.PeerID, capsuleID string, r io.Reader, o FeedOptions) (int64, error) {
	m, err := s.cfg.Node.Mesh()
	if err != nil {
		return 0, err
	}
	f, ok := m.(mesh.Feeder)
	if !ok {
		return 0, fmt.Errorf("kernel: streams into capsules of other nodes: %w", errors.ErrUnsupported)
	}
	if err := s.cfg.AuthorizeTransfer(ctx, node); err != nil {
		return 0, err
	}
	call := mesh.FeedCall{Envelope: s.cfg.Node.Message(ctx, mesh.FeedType, o.DNA), Capsule: capsuleID}
	end, err := f.Feed(ctx, node, call, r, o.OnTaken)
	if err == nil && end.Code != capsule.OK {
		err = &FeedError{Node: node, Reply: end.Code, Reason: end.Reason, Message: end.Message}
	}
	return int64(end.Taken), err
}

// HandleFeed takes a stream of another node into a capsule of this one, if the gate
// passes its DNA and from may feed that capsule: whoever spawned it may, others as
// the policy's lifecycle rules say. It implements mesh.FeedHandler.
func (s *Service) HandleFeed(ctx context.Context, from identity.PeerID, call mesh.FeedCall, r io.ReadCloser, onTaken func(total uint64)) mesh.FeedEnd {
	taken, err := s.feedFrom(ctx, from, call, r, onTaken)
	s.cfg.Events.Fed(from, s.cfg.Self, call.Capsule, taken, err)
	end := feedEnd(err)
	end.Taken = uint64(taken)
	return end
}

func (s *Service) feedFrom(ctx context.Context, from identity.PeerID, call mesh.FeedCall, r io.ReadCloser, onTaken func(uint64)) (int64, error) {
	if err := s.cfg.Node.Pass(call.Envelope, mesh.FeedType); err != nil {
		return 0, err
	}
	if err := s.authorizeCommand(from, capsule.Command{Type: capsule.Feed, Target: call.Capsule}); err != nil {
		return 0, err
	}
	return s.feedHere(ctx, call.Capsule, r, r, onTaken)
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
	here := fault.Find(target)
	_, ends := feedEnds[here]
	return here.Code() == e.Reason && (ends || here.Of("capsule")) || target == ErrDenied && e.Reply == capsule.Denied
}

// Fault is what its node gives as the reason.
func (e *FeedError) Fault() *fault.Error {
	return mesh.Heard(e.Reason, mesh.ErrRemote).With(e.Retryable())
}

// Retryable reports whether the same feed may succeed later.
func (e *FeedError) Retryable() bool {
	for here := range feedEnds {
		if here.Code() == e.Reason {
			return here.Retryable()
		}
	}
	return e.Reply == capsule.Crashed // its node may start it again
}

// feedEnds are the ends that are no capsule's own.
var feedEnds = map[*fault.Error]capsule.ReplyCode{
	supervisor.ErrNoCapsule: capsule.UnknownCapsule,
	supervisor.ErrStopped:   capsule.Crashed,
	mesh.ErrFeeds:           capsule.Limit,
	mesh.ErrTimeout:         capsule.Deadline,
	mesh.ErrUnreachable:     capsule.Refused,
	fault.Unsupported:       capsule.Unsupported,
	fault.Cancelled:         capsule.Refused,
}

// feedEnd says in an answer's terms how a feed ended.
func feedEnd(err error) mesh.FeedEnd {
	if err == nil {
		return mesh.FeedEnd{Code: capsule.OK}
	}
	end := mesh.FeedEnd{Code: capsule.Crashed, Reason: mesh.JobCrashed.Fault().Code(), Message: err.Error()}
	if errors.Is(err, ErrDenied) {
		end.Code, end.Reason = capsule.Denied, cmp.Or(mesh.Reason(err), mesh.JobRejected.Fault().Code())
		return end
	}
	if e := fault.Among(err, func(e *fault.Error) bool { _, ends := feedEnds[e]; return ends || e.Of("capsule") }); e != nil {
		end.Reason = e.Code()
		if reply, ends := feedEnds[e]; ends {
			end.Code = reply
		}
	}
	return end
}
