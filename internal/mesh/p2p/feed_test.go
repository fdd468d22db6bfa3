package p2p

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/wire"
)

// feedHandler is a worker that takes feeds by a function of the test.
type feedHandler struct {
	*worker
	eat func(ctx context.Context, call mesh.FeedCall, r io.ReadCloser, onTaken func(uint64)) mesh.FeedEnd
}

func (e *feedHandler) HandleFeed(ctx context.Context, _ identity.PeerID, call mesh.FeedCall, r io.ReadCloser, onTaken func(uint64)) mesh.FeedEnd {
	return e.eat(ctx, call, r, onTaken)
}

// swallow reads all of r.
func swallow(r io.Reader, into hash.Hash, onTaken func(uint64)) mesh.FeedEnd {
	buf := make([]byte, 10_000)
	for total := uint64(0); ; {
		n, err := r.Read(buf)
		into.Write(buf[:n])
		total += uint64(n)
		onTaken(total)
		if err == io.EOF {
			return mesh.FeedEnd{Taken: total}
		}
		if err != nil {
			return mesh.FeedEnd{Code: capsule.Refused, Message: err.Error(), Taken: total}
		}
	}
}

const listenQUIC = "/ip4/127.0.0.1/udp/0/quic-v1"

// fed is a node that feeds and one that is fed.
func fed(t *testing.T, i int, change func(*Config), eat func(context.Context, mesh.FeedCall, io.ReadCloser, func(uint64)) mesh.FeedEnd) (a, b *node) {
	b = start(t, i, func(c *Config) {
		c.Handler = &feedHandler{newWorker(), eat}
		if change != nil {
			change(c)
		}
	})
	a = start(t, i+1, change)
	_, err := a.Connect(t.Context(), b.Addrs()[0])
	require.NoError(t, err)
	return a, b
}

func feedCall(id string) mesh.FeedCall {
	return mesh.FeedCall{Capsule: id, Envelope: governance.Envelope{ID: "e", Type: mesh.FeedType, Timestamp: time.Unix(1, 0),
		Metadata: governance.Metadata{ModuleID: "test"}}}
}

func TestFeed(t *testing.T) {
	for i, listen := range []string{listenWT, listenQUIC} {
		sums := make(chan []byte, 2)
		called := make(chan mesh.FeedCall, 2)
		a, b := fed(t, 900+10*i, func(c *Config) { c.Listen = []string{listen} },
			func(_ context.Context, call mesh.FeedCall, r io.ReadCloser, onTaken func(uint64)) mesh.FeedEnd {
				sum := sha256.New()
				end := swallow(r, sum, onTaken)
				called <- call
				sums <- sum.Sum(nil)
				return end
			})
		text := bytes.Repeat([]byte("a stream of some length; "), 800_001)
		var last atomic.Uint64
		end, err := a.Feed(t.Context(), b.Self(), feedCall("c"), bytes.NewReader(text), func(total uint64) { last.Store(total) })
		require.NoError(t, err)
		require.Equal(t, mesh.FeedEnd{Taken: uint64(len(text))}, end)
		require.InDelta(t, len(text), last.Load(), reportAfter, "reports came on the way")
		want := sha256.Sum256(text)
		require.Equal(t, want[:], <-sums)
		call := <-called
		require.Equal(t, "c", call.Capsule)
		require.Equal(t, "test", call.Envelope.Metadata.ModuleID)

		end, err = a.Feed(t.Context(), b.Self(), feedCall("c"), bytes.NewReader(nil), nil)
		require.NoError(t, err)
		require.Equal(t, mesh.FeedEnd{}, end)
	}
}

// counted counts what was read of an endless stream.
type counted struct{ n atomic.Int64 }

func (c *counted) Read(p []byte) (int, error) {
	c.n.Add(int64(len(p)))
	return len(p), nil
}

// A handler that does not read holds the sender back for as long as it likes, far
// beyond every deadline there is, and nobody else: not even so many feeds as there
// may be starve the connection they share.
func TestFeedsThatAreNotRead(t *testing.T) {
	// Deadlines of seconds: a machine with other things to do may well be late by one.
	const silence, idle = 2 * time.Second, 3 * time.Second
	const length = 2 << 20 // far more than fits on the way
	release := make(chan struct{})
	a, b := fed(t, 920, func(c *Config) { c.StallTimeout, c.FeedIdle = silence, idle },
		func(ctx context.Context, _ mesh.FeedCall, r io.ReadCloser, onTaken func(uint64)) mesh.FeedEnd {
			const first = 1 << 10 // it reads, then it does not, then it does again
			if _, err := io.ReadFull(r, make([]byte, first)); err != nil {
				return mesh.FeedEnd{Code: capsule.Refused, Message: err.Error()}
			}
			select {
			case <-release:
			case <-ctx.Done(): // the test has failed, and the node closes
				return mesh.FeedEnd{Code: capsule.Refused, Message: context.Cause(ctx).Error()}
			}
			end := swallow(r, sha256.New(), func(total uint64) { onTaken(total + first) })
			end.Taken += first
			return end
		})
	sources := make([]counted, mesh.FeedsAtOnce)
	ends := make(chan mesh.FeedEnd, len(sources))
	errs := make(chan error, len(sources))
	for i := range sources {
		go func() {
			end, err := a.Feed(t.Context(), b.Self(), feedCall("c"), io.LimitReader(&sources[i], length), nil)
			ends <- end
			errs <- err
		}()
	}
	turn := time.NewTicker(idle / 50)
	defer turn.Stop()
	for range 50 + 15 { // the connection is of use all the while
		<-turn.C
		_, err := a.Ping(t.Context(), b.Self())
		require.NoError(t, err)
		_, err = a.Command(t.Context(), b.Self(), mesh.CommandCall{Command: capsule.Command{ID: "1", Type: capsule.Resume, Target: "c"}})
		require.NoError(t, err)
	}
	firsts := 0
	for i := range sources {
		held := sources[i].n.Load()
		require.LessOrEqual(t, held, int64(512<<10+2*feedBuffer), "by QUIC's window")
		if held > mesh.FeedShare+feedBuffer {
			firsts++
		}
	}
	require.Equal(t, 1, firsts)
	select {
	case err := <-errs:
		t.Fatalf("a feed ended though nobody read it: %+v, %v", <-ends, err)
	default:
	}
	end, err := a.Feed(t.Context(), b.Self(), feedCall("c"), &counted{}, nil)
	require.NoError(t, err)
	require.Equal(t, "too_many_feeds", end.Reason, "one more than there may be")
	close(release)
	for range sources {
		require.NoError(t, <-errs)
		require.Equal(t, mesh.FeedEnd{Taken: length}, <-ends)
	}
}

// Whoever is fed may end it at any time: the sender hears why, though it is in the
// middle of a write.
func TestFeedRefused(t *testing.T) {
	killed := mesh.FeedEnd{Code: capsule.Crashed, Reason: "capsule_killed", Message: "killed: why", Taken: 10}
	over := make(chan struct{})
	a, b := fed(t, 930, nil, func(_ context.Context, call mesh.FeedCall, r io.ReadCloser, _ func(uint64)) mesh.FeedEnd {
		switch call.Capsule {
		case "lie":
			return mesh.FeedEnd{Taken: 7}
		case "middle":
			_, err := io.CopyN(io.Discard, r, 5<<20)
			if err != nil {
				return mesh.FeedEnd{Code: capsule.Refused, Message: err.Error()}
			}
		case "waiting": // for a sender that has nothing to send
			go func() { _ = r.Close() }()
			_, err := io.Copy(io.Discard, r)
			if !errors.Is(err, errFeedOver) {
				return mesh.FeedEnd{Code: capsule.Refused, Message: fmt.Sprint(err)}
			}
			close(over)
		}
		return killed
	})
	for _, id := range []string{"at once", "middle"} {
		end, err := a.Feed(t.Context(), b.Self(), feedCall(id), &counted{}, nil)
		require.NoError(t, err, id)
		require.Equal(t, killed, end, id)
	}
	pr, pw := io.Pipe()
	go func() {
		<-over
		_ = pw.Close()
	}()
	end, err := a.Feed(t.Context(), b.Self(), feedCall("waiting"), pr, nil)
	require.NoError(t, err)
	require.Equal(t, killed, end)

	// A node that takes no feeds says so.
	end, err = b.Feed(t.Context(), a.Self(), feedCall("c"), &counted{}, nil)
	require.NoError(t, err)
	require.Equal(t, capsule.Unsupported, end.Code)
	// An answer that says ok before the end is a lie.
	_, err = a.Feed(t.Context(), b.Self(), feedCall("lie"), &counted{}, nil)
	require.ErrorIs(t, err, mesh.ErrProtocol)
}

// However the sender ends, the one who is fed hears of it: while it reads at once,
// while it does not by the report that cannot be sent.
func TestTheSenderEndsUnderAFeed(t *testing.T) {
	began, ended := make(chan struct{}, 1), make(chan error, 1)
	a, b := fed(t, 940, func(c *Config) { c.StallTimeout, c.FeedIdle = 2*time.Second, time.Second },
		func(ctx context.Context, call mesh.FeedCall, r io.ReadCloser, onTaken func(uint64)) mesh.FeedEnd {
			began <- struct{}{}
			if call.Capsule == "congested" {
				<-ctx.Done()
				ended <- context.Cause(ctx)
				return mesh.FeedEnd{Code: capsule.Refused}
			}
			_, err := io.Copy(io.Discard, r)
			ended <- err
			return mesh.FeedEnd{Code: capsule.Deadline, Reason: "timeout"}
		})
	for _, id := range []string{"reading", "congested"} {
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-began
			cancel()
		}()
		_, err := a.Feed(ctx, b.Self(), feedCall(id), &counted{}, nil)
		require.ErrorIs(t, err, mesh.ErrCancelled, id)
		require.ErrorIs(t, <-ended, mesh.ErrUnreachable, id)
	}

	broken := errors.New("broken")
	pr, pw := io.Pipe()
	go func() {
		<-began // or the reset overtakes the opening
		_ = pw.CloseWithError(broken)
	}()
	_, err := a.Feed(t.Context(), b.Self(), feedCall("reading"), pr, nil)
	require.Equal(t, broken, err)
	require.ErrorIs(t, <-ended, mesh.ErrUnreachable, "a stream cut short does not look like a whole one")

	// One that sends nothing, though it might, is not waited for.
	pr, pw = io.Pipe()
	go func() {
		<-began
		ended <- <-ended
		_ = pw.Close()
	}()
	end, err := a.Feed(t.Context(), b.Self(), feedCall("reading"), pr, nil)
	require.NoError(t, err)
	require.Equal(t, capsule.Deadline, end.Code)
	require.ErrorIs(t, <-ended, mesh.ErrTimeout)

	// A sender that is gone without a word.
	go func() {
		<-began
		_ = a.host.Network().ClosePeer(b.id)
	}()
	_, err = a.Feed(t.Context(), b.Self(), feedCall("congested"), &counted{}, nil)
	require.ErrorIs(t, err, mesh.ErrUnreachable)
	require.ErrorIs(t, <-ended, mesh.ErrUnreachable)
}

// A node that says nothing is given up, though its QUIC stack is well.
func TestASilentNodeIsGivenUp(t *testing.T) {
	a, b := fed(t, 950, func(c *Config) { c.StallTimeout = 300 * time.Millisecond }, nil)
	held := make(chan network.Stream, 1)
	b.host.SetStreamHandler(FeedProtocol, func(s network.Stream) { held <- s })
	_, err := a.Feed(t.Context(), b.Self(), feedCall("c"), &counted{}, nil)
	require.ErrorIs(t, err, mesh.ErrUnreachable)
	_ = (<-held).Reset()
}

func TestHostileFeeds(t *testing.T) {
	a, b := fed(t, 960, nil, func(context.Context, mesh.FeedCall, io.ReadCloser, func(uint64)) mesh.FeedEnd {
		panic("nobody gets as far as this")
	})
	env, err := wire.EncodeEnvelope(governance.Envelope{ID: "e", Type: mesh.FeedType})
	require.NoError(t, err)
	for name, opening := range map[string][]byte{
		"too long":        {0xff, 0xff, 0xff, 0x7f},
		"endless length":  bytes.Repeat([]byte{0xff}, 20),
		"no envelope":     {3, 1, 2, 3},
		"another payload": append([]byte{byte(len(env)) | 0x80, byte(len(env) >> 7)}, env...),
	} {
		s, err := a.host.NewStream(t.Context(), b.id, FeedProtocol)
		require.NoError(t, err, name)
		_, err = s.Write(opening)
		require.NoError(t, err, name)
		_, err = io.ReadAll(s)
		require.Error(t, err, name)
		_ = s.Reset()
	}
	call := feedCall("c")
	call.Envelope.Metadata.AuthToken = string(make([]byte, feedFrame))
	_, err = a.Feed(t.Context(), b.Self(), call, &counted{}, nil)
	require.ErrorIs(t, err, mesh.ErrTooBig)
	require.ErrorIs(t, err, mesh.ErrUnsent)
}
