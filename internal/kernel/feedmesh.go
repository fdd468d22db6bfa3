package kernel

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"inos/internal/capsule"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/supervisor"
	"inos/internal/trace"
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
	dna := o.DNA
	if dna.DeviceID == "" {
		dna.DeviceID = string(k.cfg.Self)
	}
	if dna.TraceParent == "" {
		dna.TraceParent = trace.Context{}.Child().String()
	}
	dna.Version = max(dna.Version, 1)
	now := time.Now()
	env := governance.Envelope{ID: messageID(now), Type: mesh.FeedType, Timestamp: now, Metadata: dna, Version: 1}
	end, err := f.Feed(ctx, node, mesh.FeedCall{Envelope: env, Capsule: capsuleID}, r, o.OnTaken)
	if err == nil && end.Code != capsule.OK {
		err = &FeedError{Node: node, Reply: end.Code, Reason: end.Reason, Message: end.Message}
	}
	return int64(end.Taken), err
}

// messageID is a UUIDv7 (RFC 9562, section 5.7).
func messageID(now time.Time) string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // it never fails
	binary.BigEndian.PutUint64(id[:8], uint64(now.UnixMilli())<<16|uint64(binary.BigEndian.Uint16(id[6:])))
	id[6], id[8] = id[6]&0x0f|0x70, id[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
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
	if call.Envelope.Type != mesh.FeedType {
		return 0, fmt.Errorf("%w: an envelope of type %.80q opens no feed", ErrDenied, call.Envelope.Type)
	}
	if err := k.cfg.Gate.Message(call.Envelope, time.Now()); err != nil {
		return 0, fmt.Errorf("%w: %w", ErrDenied, err)
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
