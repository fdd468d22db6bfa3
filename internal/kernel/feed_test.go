package kernel

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/governance"
	"inos/internal/kernel/lifecycle"
	"inos/internal/mesh"
	"inos/internal/mesh/inproc"
	"inos/internal/supervisor"
	"inos/internal/testkit"
)

// streamCapsules is fakeCapsules that take streams, each frame in perFrame.
type streamCapsules struct {
	fakeCapsules
	perFrame time.Duration
	taken    atomic.Int64
	broken   atomic.Pointer[error]
}

func (w *streamCapsules) Send(ctx context.Context, _ string, p []byte) error {
	if err := w.broken.Load(); err != nil {
		return *err
	}
	select {
	case <-time.After(w.perFrame):
	case <-ctx.Done():
		return ctx.Err()
	}
	w.taken.Add(int64(len(p)))
	return nil
}

func newStreamCapsules(capsules ...string) *streamCapsules {
	w := &streamCapsules{}
	for _, id := range capsules {
		w.list = append(w.list, lifecycle.CapsuleInfo{ID: id, State: "healthy"})
	}
	return w
}

// endlessReader gives without end, counting what was read.
type endlessReader struct{ read atomic.Int64 }

func (e *endlessReader) Read(p []byte) (int, error) {
	e.read.Add(int64(len(p)))
	return len(p), nil
}

func congest(k *Kernel, id string, congested bool) {
	k.CapsuleEvent(supervisor.HeartbeatReceived{ID: id, Heartbeat: capsule.Heartbeat{Congested: congested}})
}

var test = lifecycle.FeedOptions{DNA: governance.Metadata{ModuleID: "test"}}

// While a capsule is congested its stream is not read; once it is not, it is read
// at the capsule's own pace at once.
func TestCongestionStopsTheReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		work := newStreamCapsules("c")
		work.perFrame = time.Millisecond
		k := startOn(t, newFakeMesh(nil), func(c *Config) { c.Capsules = work })
		ctx, stop := context.WithCancel(t.Context())
		source := &endlessReader{}
		fed := make(chan error, 1)
		go func() {
			_, err := k.Feed(ctx, "", "c", source, test)
			fed <- err
		}()
		in := func(d time.Duration) int64 {
			before := source.read.Load()
			time.Sleep(d)
			return source.read.Load() - before
		}
		free := in(time.Second)
		require.InDelta(t, 1000*16<<10, free, 2*16<<10)
		for range 100 {
			congest(k, "c", true)
			require.LessOrEqual(t, in(10*time.Millisecond), int64(16<<10), "what was under way")
			congest(k, "c", false)
			require.GreaterOrEqual(t, in(10*time.Millisecond), int64(9*16<<10), "at full pace at once")
		}
		congest(k, "c", true)
		in(time.Second)
		require.Zero(t, in(time.Hour))
		require.Equal(t, source.read.Load(), work.taken.Load(), "nothing is dropped")
		stop()
		require.ErrorIs(t, <-fed, context.Canceled)
	})
}

func TestFeedEndsWithItsReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		work := newStreamCapsules("c")
		k := startOn(t, newFakeMesh(nil), func(c *Config) { c.Capsules = work })
		sent, err := k.Feed(t.Context(), "", "c", bytes.NewReader(make([]byte, 100_000)), test)
		require.NoError(t, err)
		require.EqualValues(t, 100_000, sent)
		require.EqualValues(t, 100_000, work.taken.Load())

		broken := errors.New("broken")
		_, err = k.Feed(t.Context(), "", "c", io.MultiReader(bytes.NewReader([]byte("x")), failingReader{broken}), test)
		require.ErrorIs(t, err, broken)
		_, err = k.Feed(t.Context(), "", "nobody", bytes.NewReader(nil), test)
		require.ErrorIs(t, err, supervisor.ErrNoCapsule)
		_, err = k.Feed(t.Context(), testkit.NamedPeer("far"), "c", bytes.NewReader(nil), test)
		require.ErrorIs(t, err, errors.ErrUnsupported, "of this mesh")
	})
	synctest.Test(t, func(t *testing.T) {
		k := startOn(t, newFakeMesh(nil), nil)
		_, err := k.Feed(t.Context(), "", "c", bytes.NewReader(nil), test)
		require.ErrorIs(t, err, errors.ErrUnsupported)
	})
}

type failingReader struct{ err error }

func (f failingReader) Read([]byte) (int, error) { return 0, f.err }

// feedPair is two kernels: home feeds a capsule that it spawned on far.
func feedPair(t *testing.T) (home, far *member, work *streamCapsules, capsuleID string) {
	home, far, work, capsuleID, _ = feedPairOn(t)
	return home, far, work, capsuleID
}

func feedPairOn(t *testing.T) (home, far *member, work *streamCapsules, capsuleID string, net *inproc.Network) {
	w := newWorld(t)
	work = newStreamCapsules()
	gate, err := governance.New(governance.Config{Ledgers: testkit.Balances{}, Policy: governance.Policy{
		Lifecycle: []governance.LifecycleRule{{Peer: testkit.NamedPeer("home"), Commands: []capsule.CommandType{capsule.Spawn}}},
	}})
	require.NoError(t, err)
	home, far = w.start("home", nil), w.start("far", func(c *Config) { c.Capsules, c.Gate = work, gate })
	w.meet(home, far)
	require.NoError(t, home.blobs.Accept(testBlob()))
	r, err := home.Command(t.Context(), far.Self(), capsule.Command{ID: "1", Type: capsule.Spawn,
		Spawn: &capsule.SpawnParams{CID: capsule.SumCID(testWasm).String()}})
	require.NoError(t, err)
	require.Equal(t, capsule.OK, r.Code)
	synctest.Wait()
	return home, far, work, r.CapsuleID, w.net
}

func TestFeedACapsuleOnAnotherNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		home, far, work, id := feedPair(t)
		events, cancel := far.Subscribe(16)
		defer cancel()
		sent, err := home.Feed(t.Context(), far.Self(), id, bytes.NewReader(make([]byte, 100_000)), test)
		require.NoError(t, err)
		require.EqualValues(t, 100_000, sent)
		require.EqualValues(t, 100_000, work.taken.Load())
		for e := range events {
			if fed, ok := e.(Fed); ok {
				require.Equal(t, home.Self(), fed.From)
				require.EqualValues(t, 100_000, fed.Taken)
				break
			}
		}

		// Its congestion holds the sender back.
		congest(far.Kernel, id, true)
		source := &endlessReader{}
		ctx, stop := context.WithCancel(t.Context())
		fed := make(chan error, 1)
		go func() { _, err := home.Feed(ctx, far.Self(), id, source, test); fed <- err }()
		time.Sleep(time.Hour)
		require.Less(t, source.read.Load(), int64(1<<20))
		stop()
		require.ErrorIs(t, <-fed, mesh.ErrCancelled)

		broken := errors.New("broken")
		congest(far.Kernel, id, false)
		_, err = home.Feed(t.Context(), far.Self(), id, io.MultiReader(bytes.NewReader([]byte("x")), failingReader{broken}), test)
		require.Equal(t, broken, err)
	})
}

func TestWhoMayFeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		work := newStreamCapsules("consoles-own")
		home, friend, stranger := w.start("home", nil), w.start("friend", nil), w.start("stranger", nil)
		gate, err := governance.New(governance.Config{Ledgers: testkit.Balances{}, Policy: governance.Policy{
			Lifecycle: []governance.LifecycleRule{
				{Peer: friend.Self(), Commands: []capsule.CommandType{capsule.Feed}},
				{Peer: stranger.Self(), Commands: []capsule.CommandType{capsule.Pause, capsule.Kill}},
			},
		}})
		require.NoError(t, err)
		far := w.start("far", func(c *Config) { c.Capsules, c.Gate = work, gate })
		for _, m := range []*member{home, friend, stranger} {
			w.meet(m, far)
		}
		feed := func(m *member, id string) error {
			_, err := m.Feed(t.Context(), far.Self(), id, bytes.NewReader([]byte("text")), test)
			return err
		}
		require.NoError(t, feed(friend, "consoles-own"))
		for _, m := range []*member{home, stranger} {
			err := feed(m, "consoles-own")
			require.ErrorIs(t, err, lifecycle.ErrDenied)
			var end *lifecycle.FeedError
			require.ErrorAs(t, err, &end)
			require.Equal(t, "command_denied", end.Reason)
		}
		require.ErrorIs(t, feed(friend, "nobody"), supervisor.ErrNoCapsule)
		require.EqualValues(t, 4, work.taken.Load())

		// The DNA is looked at before that.
		end := far.HandleFeed(t.Context(), friend.Self(), mesh.FeedCall{Capsule: "consoles-own",
			Envelope: governance.Envelope{ID: "no UUID", Type: mesh.FeedType, Timestamp: time.Now()}}, unreadStream{}, nil)
		require.Equal(t, capsule.Denied, end.Code)
		require.NotEmpty(t, end.Reason)
		end = far.HandleFeed(t.Context(), friend.Self(), mesh.FeedCall{Capsule: "consoles-own",
			Envelope: governance.Envelope{ID: testkit.UUID(), Type: "job:dispatch:v1", Timestamp: time.Now()}}, unreadStream{}, nil)
		require.Equal(t, capsule.Denied, end.Code)
	})
}

type unreadStream struct{}

func (unreadStream) Read([]byte) (int, error) { panic("read from") }
func (unreadStream) Close() error             { return nil }

// A capsule that ends under a stream ends it, on both sides, with why; whether the
// stream was waiting for it, for its sender, or was under way.
func TestTheCapsuleEndsUnderAStream(t *testing.T) {
	for name, when := range map[string]func(k *Kernel, id string, work *streamCapsules, source chan<- []byte){
		"congested":   func(k *Kernel, id string, _ *streamCapsules, _ chan<- []byte) { congest(k, id, true) },
		"sender idle": func(*Kernel, string, *streamCapsules, chan<- []byte) {},
		"under way": func(_ *Kernel, _ string, work *streamCapsules, source chan<- []byte) {
			killed := fmt.Errorf("%w: why", capsule.ErrKilled)
			work.broken.Store(&killed)
			source <- []byte("more")
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				home, far, work, id := feedPair(t)
				events, cancel := far.Subscribe(64)
				defer cancel()
				source, fed := underWay(t, home, far, id)
				require.EqualValues(t, 4, work.taken.Load())
				when(far.Kernel, id, work, source)
				synctest.Wait()
				far.CapsuleEvent(supervisor.CapsuleEnded{ID: id, Err: fmt.Errorf("%w: why", capsule.ErrKilled), Reason: "why"})
				for e := range events {
					if end, ok := e.(Fed); ok {
						require.ErrorIs(t, end.Err, capsule.ErrKilled)
						require.EqualValues(t, 4, end.Taken)
						break
					}
				}
				close(source) // the sender's own Read comes back
				err := <-fed
				require.ErrorIs(t, err, capsule.ErrKilled)
				var end *lifecycle.FeedError
				require.ErrorAs(t, err, &end)
				require.Equal(t, "capsule_killed", end.Reason)
				require.Contains(t, end.Error(), "why")
			})
		})
	}
}

// underWay starts a feed whose first bytes, "some", have come.
func underWay(t *testing.T, home, far *member, id string) (source chan []byte, fed chan error) {
	source, fed = make(chan []byte, 4), make(chan error, 1)
	source <- []byte("some")
	go func() {
		_, err := home.Feed(t.Context(), far.Self(), id, chunkReader(source), test)
		fed <- err
	}()
	synctest.Wait()
	return source, fed
}

// chunkReader is a stream that comes piece by piece.
type chunkReader chan []byte

func (c chunkReader) Read(p []byte) (int, error) {
	part, ok := <-c
	if !ok {
		return 0, io.EOF
	}
	return copy(p, part), nil
}

// A sender that goes down ends its stream at both ends.
func TestTheSenderGoesDownUnderAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		home, far, work, id, net := feedPairOn(t)
		events, cancel := far.Subscribe(64)
		defer cancel()
		source, fed := underWay(t, home, far, id)
		net.SetDown(home.Self(), true)
		synctest.Wait()
		close(source)
		require.ErrorIs(t, <-fed, mesh.ErrUnreachable)
		for e := range events {
			if end, ok := e.(Fed); ok {
				require.Error(t, end.Err)
				require.EqualValues(t, 4, end.Taken)
				break
			}
		}
		require.EqualValues(t, 4, work.taken.Load())
	})
}
