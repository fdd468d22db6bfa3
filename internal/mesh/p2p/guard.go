package p2p

import (
	"context"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"golang.org/x/time/rate"

	"inos/internal/identity"
	"inos/internal/mesh"
)

// What one peer, and all peers together, may ask of this node.
const (
	streamsPerSecond = 2000 // per peer, on average
	streamBurst      = 4000 // per peer
	streamsAtOnce    = 128  // per peer and protocol
	streamsInAll     = 1024
	maxWait          = time.Second // that a stream is held back for its peer's rate

	newsPerSecond = 50   // nodes not heard of before, from one peer
	newsBurst     = 1024 // at first
)

var inosProtocols = []protocol.ID{ProfileProtocol, CapsuleProtocol, JobProtocol, LifecycleProtocol, FeedProtocol, CallProtocol,
	TraceProtocol, ReceiptProtocol, ChequeProtocol, ClockProtocol}

// guard admits inbound streams: a rate and a number at once per peer, a number
// in all. What it refuses is reset with StreamRateLimited.
type guard struct {
	mu    sync.Mutex
	peers map[peer.ID]*allowance
	all   int
}

type allowance struct {
	rate *rate.Limiter
	news *rate.Limiter
	open map[protocol.ID]int
}

// idle says that nothing would be forgotten with it.
func (a *allowance) idle() bool {
	for _, n := range a.open {
		if n > 0 {
			return false
		}
	}
	return a.rate.Tokens() >= streamBurst && a.news.Tokens() >= newsBurst
}

func newGuard() *guard {
	return &guard{peers: map[peer.ID]*allowance{}}
}

// of is p's allowance. Called with mu held.
func (g *guard) of(p peer.ID) *allowance {
	a := g.peers[p]
	if a == nil {
		a = &allowance{
			rate: rate.NewLimiter(streamsPerSecond, streamBurst),
			news: rate.NewLimiter(newsPerSecond, newsBurst),
			open: map[protocol.ID]int{},
		}
		g.peers[p] = a
	}
	return a
}

// news reports whether p may tell of one more node that nobody has told of before.
func (g *guard) news(p peer.ID) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.of(p).news.Allow()
}

// admit counts a stream in, after making it wait when p is a little too fast. It
// refuses when p is much too fast, or has too many streams open.
func (g *guard) admit(ctx context.Context, p peer.ID, id protocol.ID) bool {
	wait, ok := g.reserve(p, id)
	if !ok || wait <= 0 {
		return ok
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		g.done(p, id)
		return false
	}
}

func (g *guard) reserve(p peer.ID, id protocol.ID) (time.Duration, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	a := g.of(p)
	if g.all >= streamsInAll || a.open[id] >= atOnce(id) {
		return 0, false
	}
	r := a.rate.Reserve()
	wait := r.Delay()
	if wait > maxWait {
		r.Cancel()
		return 0, false
	}
	g.all++
	a.open[id]++
	return wait, true
}

// atOnce is how many streams of a protocol one peer may have open.
func atOnce(id protocol.ID) int {
	switch id {
	case FeedProtocol:
		return 2 * mesh.FeedsAtOnce // those past the first half are told so
	case CallProtocol:
		return 2 * mesh.CallsAtOnce // likewise
	}
	return streamsAtOnce
}

// openOf is how many streams of a protocol p has open.
func (g *guard) openOf(p peer.ID, id protocol.ID) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	if a := g.peers[p]; a != nil {
		return a.open[id]
	}
	return 0
}

func (g *guard) done(p peer.ID, id protocol.ID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.all--
	if a := g.peers[p]; a != nil {
		a.open[id]--
	}
}

// forget drops what is known of a peer that left, unless it still has streams
// or owes time: reconnecting must not refill its rate.
func (g *guard) forget(p peer.ID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if a := g.peers[p]; a != nil && a.idle() {
		delete(g.peers, p)
		return
	}
	g.sweep()
}

// sweep drops the peers whose rate has recovered, once there are many.
func (g *guard) sweep() {
	const many = 1024
	if len(g.peers) < many {
		return
	}
	for p, a := range g.peers {
		if a.idle() {
			delete(g.peers, p)
		}
	}
}

// answer is one side of a protocol: it serves s, and an error resets s.
type answer func(ctx context.Context, from identity.PeerID, s *frames) error

// serveStreams registers the protocols that this node answers.
func (m *Mesh) serveStreams() {
	m.serve(ProfileProtocol, m.answerProfile)
	m.serve(CapsuleProtocol, m.answerCapsule)
	m.serve(JobProtocol, m.answerJob)
	m.serve(LifecycleProtocol, m.answerCommand)
	m.serve(FeedProtocol, m.answerFeed)
	m.serve(CallProtocol, m.answerCall)
	for _, name := range []string{mesh.NoteTrace, mesh.NoteReceipt, mesh.NoteCheque} {
		m.serve(noteProtocol(name), m.answerNote(name))
	}
	m.serve(ClockProtocol, m.answerClock)
	m.servePing()
}

func (m *Mesh) serve(id protocol.ID, f answer) {
	m.host.SetStreamHandler(id, func(s network.Stream) {
		from := s.Conn().RemotePeer()
		if !m.enter() {
			_ = s.ResetWithError(network.StreamShutdown)
			return
		}
		defer m.work.Done()
		if !m.guard.admit(m.life, from, id) {
			_ = s.ResetWithError(network.StreamRateLimited)
			return
		}
		defer m.guard.done(from, id)
		m.holds.take(from)
		defer m.holds.release(from)
		ctx, cancel := context.WithCancel(m.life)
		defer cancel()
		if err := f(ctx, nameOf(from), newFrames(s, m.cfg.Silence)); err != nil {
			_ = s.ResetWithError(network.StreamProtocolViolation)
			return
		}
		_ = s.Close()
	})
}

// enter counts a handler's goroutine, which libp2p started, among those that
// Close waits for.
func (m *Mesh) enter() bool {
	m.entering.Lock()
	defer m.entering.Unlock()
	if m.life.Err() != nil {
		return false
	}
	m.work.Add(1)
	return true
}
