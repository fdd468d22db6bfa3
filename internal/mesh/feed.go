package mesh

import (
	"context"
	"io"

	"inos/internal/capsule"
	"inos/internal/fault"
	"inos/internal/governance"
	"inos/internal/identity"
)

// Limits of the streams into capsules of other nodes. Bytes that a node does not read take up the
// window of the whole connection, and a QUIC connection's window is half as large again as a
// stream's: two unread streams would block everything else, even the command that resumes the
// capsule. So only the oldest feed from one node to another uses all that QUIC gives it. The others
// stay at most FeedShare ahead of what has been taken: together they fit beside it.
const (
	FeedsAtOnce = 4
	FeedShare   = 16 << 10 // bytes
)

// ErrFeeds: as many streams into capsules of the node are open as may be. Advice: end one of them first.
var ErrFeeds = fault.Retryable("too_many_feeds", "mesh: too many feeds to one node")

// ErrCalls says that as many calls of capsules of the node are under way as may be.
var ErrCalls = fault.Retryable("too_many_calls", "mesh: too many calls to one node")

// FeedType is the type of the Envelope that opens a feed.
const FeedType = "capsule:feed:v1"

// FeedCall opens a stream into a capsule on another node.
type FeedCall struct {
	Envelope governance.Envelope // its payload is the FeedRequest
	Capsule  string              // its id there
}

// FeedEnd is the outcome of a feed.
type FeedEnd struct {
	Code    capsule.ReplyCode
	Reason  string // stable code of what ended it before its time
	Message string // for people
	Taken   uint64 // bytes that reached the capsule
}

// Feeder is a Mesh that streams into capsules. Feed sends all of r to the capsule on p, no faster
// than that capsule reads, and blocks until the outcome. It returns r's own error as it is, and the
// capsule then has only what came before it. With an error, FeedEnd.Taken is the last figure that p
// reported. onTaken may be nil; it receives every such report and must not block. A peer that goes
// silent ends the feed; a capsule that does not read never does. When the other side ends first,
// Feed returns once r's Read does, and closes r to that end if it is an io.Closer. Errors are those
// of Command, and ErrUnsent.
// that where it is an io.Closer. Errors as Command's, and ErrUnsent.
type Feeder interface {
	Feed(ctx context.Context, p identity.PeerID, call FeedCall, r io.Reader, onTaken func(total uint64)) (FeedEnd, error)
}

// FeedHandler is a Handler that takes streams into its capsules. It reads r as the capsule reads:
// bytes that it has not read hold the sender back. r ends with io.EOF when the sender is done. It
// ends with another error when the sender went away, or sent nothing for too long during a read.
// Close ends a Read under way. onTaken receives the total that reached the capsule; it does not
// block.
type FeedHandler interface {
	HandleFeed(ctx context.Context, from identity.PeerID, call FeedCall, r io.ReadCloser, onTaken func(total uint64)) FeedEnd
}
