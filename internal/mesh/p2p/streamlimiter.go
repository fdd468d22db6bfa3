package p2p

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"golang.org/x/time/rate"

	"inos/internal/identity"
	"inos/internal/mesh"
)

// Limits on what one peer, and all peers together, may ask of this node.
const (
	streamsPerSecond = 2000            // per peer, on average
	streamBurst      = 4000            // per peer
	streamsAtOnce    = 128             // per peer and protocol
	streamsInAll     = 1024            // that have said something
	silentInAll      = 512             // that have not
	firstFrame       = 5 * time.Second // for the first frame of a stream, of which 32 KiB a second have to come
	maxWait          = time.Second     // that a stream is held back for its peer's rate

	newsPerSecond = 50   // nodes not heard of before, from one peer
	newsBurst     = 1024 // at first
)

var inosProtocols = []protocol.ID{ProfileProtocol, CapsuleProtocol, JobProtocol, LifecycleProtocol, FeedProtocol, CallProtocol,
	TraceProtocol, ReceiptProtocol, ChequeProtocol, UnearnedProtocol, ClockProtocol}

// streamLimiter admits inbound streams: it limits the rate and the number at once of each peer, and
// the shares of all. It resets a refused stream with StreamRateLimited.
type streamLimiter struct {
	mu     sync.Mutex
	peers  map[peer.ID]*allowance
	silent *crowd // those that have not said anything yet
	heard  *crowd // the others
	slow   shares // of those, and of this node's own, the ones slower than leastRate
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

func newStreamLimiter() *streamLimiter {
	return &streamLimiter{peers: map[peer.ID]*allowance{}, silent: newCrowd(silentInAll), heard: newCrowd(streamsInAll), slow: newShares(slowInAll)}
}

// of is p's allowance. Called with mu held.
func (g *streamLimiter) of(p peer.ID) *allowance {
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
func (g *streamLimiter) news(p peer.ID) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.of(p).news.Allow()
}

// admit counts a stream. It makes the stream wait when its peer is a little too fast, and refuses
// it when the peer is much too fast or has too many streams open. The caller gives back an admitted
// stream with done.
func (g *streamLimiter) admit(ctx context.Context, s *inbound) bool {
	wait, ok := g.reserve(s)
	if !ok || wait <= 0 {
		return ok
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		g.done(s)
		return false
	}
}

func (g *streamLimiter) reserve(s *inbound) (time.Duration, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	a := g.of(s.peer)
	if a.open[s.protocol] >= atOnce(s.protocol) {
		return 0, false
	}
	r := a.rate.Reserve()
	wait := r.Delay()
	if wait > maxWait {
		r.Cancel()
		return 0, false
	}
	if gone := g.silent.push(s); gone != nil {
		gone.end()
	}
	a.open[s.protocol]++
	return wait, true
}

// slower gives a stream of a network a place among the slow ones, if it may have one.
func (g *streamLimiter) slower(net string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.slow.take(net)
}

// noSlower takes it back.
func (g *streamLimiter) noSlower(net string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.slow.give(net)
}

// speaks moves s among those that have said something, if there is room for it.
func (g *streamLimiter) speaks(s *inbound) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if s.in != g.silent {
		return s.in != nil // it has lost its place meanwhile
	}
	g.silent.leave(s)
	gone, ok := g.heard.enter(s)
	if gone != nil {
		gone.end()
	}
	return ok
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
func (g *streamLimiter) openOf(p peer.ID, id protocol.ID) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	if a := g.peers[p]; a != nil {
		return a.open[id]
	}
	return 0
}

func (g *streamLimiter) done(s *inbound) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if s.in != nil {
		s.in.leave(s)
	}
	if a := g.peers[s.peer]; a != nil {
		a.open[s.protocol]--
	}
}

// forget drops what is known of a peer that left, unless it still has streams
// or owes time: reconnecting must not refill its rate.
func (g *streamLimiter) forget(p peer.ID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if a := g.peers[p]; a != nil && a.idle() {
		delete(g.peers, p)
		return
	}
	g.sweep()
}

// sweep drops the peers whose rate has recovered, once there are many.
func (g *streamLimiter) sweep() {
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
	for _, name := range []string{mesh.RequestTrace, mesh.RequestReceipt, mesh.RequestCheque, mesh.RequestUnearned} {
		m.serve(requestProtocol(name), m.answerRequest(name))
	}
	m.serve(ClockProtocol, m.answerClock)
	m.servePing()
}

func (m *Mesh) serve(id protocol.ID, f answer) {
	m.host.SetStreamHandler(id, func(s network.Stream) {
		if !m.enter() {
			_ = s.ResetWithError(network.StreamShutdown)
			return
		}
		defer m.work.Done()
		in := newInbound(s, id)
		if !m.limiter.admit(m.life, in) {
			_ = s.ResetWithError(network.StreamRateLimited)
			return
		}
		defer m.limiter.done(in)
		ctx, cancel := context.WithCancel(m.life)
		defer cancel()
		held := false
		defer func() {
			if held {
				m.protected.release(in.peer)
			}
		}()
		// Only a peer that says something has a connection worth keeping.
		fs := newFrames(s, m.cfg.StallTimeout)
		fs.opening = min(max(firstFrame, tripsFirst*pathOf(s.Conn()).rtt), m.cfg.StallTimeout)
		fs.slow = &slowPlace{of: m.limiter, net: in.net}
		defer fs.slow.leave()
		fs.first = func() error {
			if !m.limiter.speaks(in) {
				return errCrowded
			}
			m.protected.protect(in.peer)
			held = true
			return nil
		}
		if err := f(ctx, nameOf(in.peer), fs); err != nil {
			code := network.StreamProtocolViolation
			if errors.Is(err, errCrowded) {
				code = network.StreamRateLimited
			}
			_ = s.ResetWithError(code)
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
