package inproc

import (
	"bytes"
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/testkit"
)

// worker reverses its input; method "hang" waits for its context, "fetch" runs
// the caller's capsule through fetch first.
type worker struct {
	blobs map[capsule.CID]mesh.Blob
	ended chan error
}

func (w *worker) HandleJob(ctx context.Context, from identity.PeerID, call mesh.JobCall, fetch mesh.FetchFunc, onProgress func(mesh.Progress)) mesh.JobOutcome {
	out := mesh.JobOutcome{JobID: call.Job.ID, Output: bytes.ToUpper(call.Input)}
	switch call.Job.Method {
	case "hang":
		<-ctx.Done()
		if w.ended != nil {
			w.ended <- ctx.Err()
		}
		out.Code = mesh.JobCancelled
	case "fetch":
		cid, err := capsule.ParseCID(call.Job.Capsule)
		if err != nil {
			out.Code = mesh.JobUnknownCapsule
			return out
		}
		blob, err := fetch(ctx, mesh.FetchCall{CID: cid})
		if err != nil {
			out.Code = mesh.JobUnknownCapsule
			return out
		}
		out.FetchedBytes = uint64(len(blob.Wasm))
	case "progress":
		for i := range uint64(3) {
			onProgress(mesh.Progress{Done: i + 1, Total: 3})
			time.Sleep(10 * time.Millisecond)
		}
	}
	return out
}

func (w *worker) HandleCommand(_ context.Context, _ identity.PeerID, call mesh.CommandCall) capsule.Reply {
	return capsule.Reply{ID: call.Command.ID, Code: capsule.OK}
}

func (w *worker) HandleFetch(_ context.Context, _ identity.PeerID, call mesh.FetchCall) (mesh.Blob, bool) {
	b, ok := w.blobs[call.CID]
	return b, ok
}

func join(t *testing.T, n *Network, i int, h mesh.Handler) *Member {
	m, err := n.Join(testkit.Key(i), h)
	require.NoError(t, err)
	return m
}

func TestCallsTakeTheLinksTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(Config{Latency: func(_, _ identity.PeerID) time.Duration { return 5 * time.Millisecond }})
		defer n.Close()
		wasm := []byte("\x00asm")
		blobs := map[capsule.CID]mesh.Blob{capsule.SumCID(wasm): {Wasm: wasm}}
		a, b := join(t, n, 1, &worker{blobs: blobs}), join(t, n, 2, &worker{})
		n.SetLatency(a.Self(), b.Self(), 20*time.Millisecond)
		ctx := t.Context()

		start := time.Now()
		p, err := a.Connect(ctx, b.Addrs()[0])
		require.NoError(t, err)
		require.Equal(t, b.Self(), p)
		require.Equal(t, 40*time.Millisecond, time.Since(start))

		rtt, err := a.Ping(ctx, p)
		require.NoError(t, err)
		require.Equal(t, 40*time.Millisecond, rtt)

		start = time.Now()
		var seen []uint64
		out, err := a.RunJob(ctx, p, mesh.JobCall{Job: governance.Job{ID: "j", Method: "progress"}, Input: []byte("abc")},
			func(pr mesh.Progress) { seen = append(seen, pr.Done) })
		require.NoError(t, err)
		require.Equal(t, "ABC", string(out.Output))
		require.Equal(t, []uint64{1, 2, 3}, seen)
		require.Equal(t, 70*time.Millisecond, time.Since(start))

		start = time.Now()
		out, err = a.RunJob(ctx, p, mesh.JobCall{Job: governance.Job{Method: "fetch", Capsule: capsule.SumCID(wasm).String()}}, nil)
		require.NoError(t, err)
		require.EqualValues(t, len(wasm), out.FetchedBytes)
		require.Equal(t, 80*time.Millisecond, time.Since(start))

		reply, err := a.Command(ctx, p, mesh.CommandCall{Command: capsule.Command{ID: "c1", Type: capsule.Pause}})
		require.NoError(t, err)
		require.Equal(t, "c1", reply.ID)

		_, err = a.FetchCapsule(ctx, p, mesh.FetchCall{CID: capsule.SumCID(wasm)})
		require.ErrorIs(t, err, mesh.ErrNotFound)
		blob, err := b.FetchCapsule(ctx, a.Self(), mesh.FetchCall{CID: capsule.SumCID(wasm)})
		require.NoError(t, err)
		require.Equal(t, wasm, blob.Wasm)
	})
}

func TestDirectoryAndGossip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(Config{Latency: func(_, _ identity.PeerID) time.Duration { return time.Millisecond }})
		defer n.Close()
		var ms []*Member
		for i := range 5 {
			ms = append(ms, join(t, n, i, nil))
		}
		ctx := t.Context()
		profile := mesh.Profile{Capabilities: []string{"gpu"}, Expires: time.Now().Add(time.Minute)}
		require.NoError(t, ms[1].Publish(ctx, profile))
		require.NoError(t, ms[2].Publish(ctx, profile))
		e := <-ms[0].Events()
		require.IsType(t, mesh.ProfileHeard{}, e)
		found, err := ms[0].Find(ctx, "gpu")
		require.NoError(t, err)
		require.Len(t, found, 2)
		require.Len(t, ms[0].Peers(), 2)

		n.SetDown(ms[1].Self(), true)
		found, err = ms[0].Find(ctx, "gpu")
		require.NoError(t, err)
		require.Len(t, found, 1)
		require.Len(t, ms[0].Peers(), 1)

		time.Sleep(2 * time.Minute)
		found, err = ms[0].Find(ctx, "gpu")
		require.NoError(t, err)
		require.Empty(t, found)

		profile.Expires = time.Now().Add(time.Minute)
		profile.Coordinate = &mesh.Coordinate{Vec: []float64{math.NaN()}}
		require.ErrorIs(t, ms[2].Publish(ctx, profile), mesh.ErrProfile)
	})
}

func TestNodeDownMidJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(Config{})
		defer n.Close()
		w := &worker{ended: make(chan error, 1)}
		a, b := join(t, n, 1, nil), join(t, n, 2, w)
		failed := make(chan error, 1)
		go func() {
			_, err := a.RunJob(t.Context(), b.Self(), mesh.JobCall{Job: governance.Job{Method: "hang"}}, nil)
			failed <- err
		}()
		synctest.Wait()
		n.SetDown(b.Self(), true)
		require.ErrorIs(t, <-failed, mesh.ErrUnreachable)
		require.ErrorIs(t, <-w.ended, context.Canceled)
		require.Equal(t, mesh.PeerConnected{Peer: b.Self()}, <-a.Events())
		require.Equal(t, mesh.PeerDisconnected{Peer: b.Self()}, <-a.Events())
		_, err := a.Ping(t.Context(), b.Self())
		require.ErrorIs(t, err, mesh.ErrUnreachable)
		n.SetDown(b.Self(), false)
		_, err = a.Ping(t.Context(), b.Self())
		require.NoError(t, err)
	})
}

func TestCancelAndDrop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(Config{})
		defer n.Close()
		w := &worker{ended: make(chan error, 1)}
		a, b := join(t, n, 1, nil), join(t, n, 2, w)
		ctx, cancel := context.WithCancel(t.Context())
		failed := make(chan error, 1)
		go func() {
			_, err := a.RunJob(ctx, b.Self(), mesh.JobCall{Job: governance.Job{Method: "hang"}}, nil)
			failed <- err
		}()
		synctest.Wait()
		cancel()
		require.ErrorIs(t, <-failed, mesh.ErrCancelled)
		require.Error(t, <-w.ended)

		n.SetDrop(a.Self(), b.Self(), true)
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := a.RunJob(ctx, b.Self(), mesh.JobCall{}, nil)
		require.ErrorIs(t, err, mesh.ErrTimeout)
	})
}

func TestBadAddressesAndClosed(t *testing.T) {
	n := New(Config{})
	a := join(t, n, 1, nil)
	for _, addr := range []string{"", "/memory/inos/p2p/", "/ip4/127.0.0.1/tcp/1", AddrPrefix + "12D3"} {
		_, err := a.Connect(t.Context(), addr)
		require.ErrorIs(t, err, mesh.ErrAddress, addr)
	}
	_, err := a.Connect(t.Context(), AddrPrefix+string(testkit.Peer(9)))
	require.ErrorIs(t, err, mesh.ErrUnreachable)
	_, err = n.Join(testkit.Key(1), nil)
	require.Error(t, err)
	require.NoError(t, a.Close())
	require.NoError(t, a.Close())
	_, err = a.Ping(t.Context(), a.Self())
	require.ErrorIs(t, err, mesh.ErrClosed)
	_, open := <-a.Events()
	require.False(t, open)
}

func TestThousandMembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(Config{Events: 16})
		defer n.Close()
		for i := range 1000 {
			m := join(t, n, i, &worker{})
			require.NoError(t, m.Publish(t.Context(), mesh.Profile{Capabilities: []string{"simd"}, Expires: time.Now().Add(time.Minute)}))
		}
		asker := join(t, n, 1000, nil)
		found, err := asker.Find(t.Context(), "simd")
		require.NoError(t, err)
		require.Len(t, found, 1000)
		for _, p := range found[:20] {
			_, err := asker.RunJob(t.Context(), p.Peer, mesh.JobCall{}, nil)
			require.NoError(t, err)
		}
	})
}
