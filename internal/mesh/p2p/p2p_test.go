package p2p

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/testkit"
	"inos/internal/wire"
)

const listenWT = "/ip4/127.0.0.1/udp/0/quic-v1/webtransport"

// worker is a Handler whose methods are named by Job.Method.
type worker struct {
	mu       sync.Mutex
	blobs    map[capsule.CID]mesh.Blob
	commands []capsule.Command

	started chan struct{} // "hang" has begun
	ended   chan error    // how its context ended
	sent    func()        // JobOutcome.Sent
}

func newWorker() *worker {
	return &worker{blobs: map[capsule.CID]mesh.Blob{}, started: make(chan struct{}, 256), ended: make(chan error, 256)}
}

func (w *worker) HandleJob(ctx context.Context, from identity.PeerID, call mesh.JobCall, fetch mesh.FetchFunc, onProgress func(mesh.Progress)) mesh.JobOutcome {
	out := mesh.JobOutcome{JobID: call.Job.ID, Receipt: call.Voucher, Sent: w.sent}
	if call.Job.Method == "refuse" {
		out.Code, out.Reason = mesh.JobRejected, "ledger_missing"
		return out
	}
	input, err := call.ReadInput(ctx)
	if err != nil {
		out.Code, out.Message = mesh.JobRejected, err.Error()
		return out
	}
	out.Output = bytes.ToUpper(input)
	switch call.Job.Method {
	case "hang":
		w.started <- struct{}{}
		<-ctx.Done()
		w.ended <- context.Cause(ctx)
		out.Code = mesh.JobCancelled
	case "progress":
		onProgress(mesh.Progress{Done: 1, Total: 2, Cost: 7})
	case "fetch":
		cid, _ := capsule.ParseCID(call.Job.Capsule)
		blob, err := fetch(ctx, mesh.FetchCall{CID: cid})
		if err != nil {
			out.Code, out.Message = mesh.JobUnknownCapsule, err.Error()
			return out
		}
		out.Output, out.FetchedBytes = blob.Wasm[:8], uint64(len(blob.Wasm))
	}
	return out
}

func (w *worker) HandleCommand(ctx context.Context, from identity.PeerID, call mesh.CommandCall) capsule.Reply {
	if ctx.Err() != nil {
		return capsule.Reply{Code: capsule.Deadline}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.commands = append(w.commands, call.Command)
	return capsule.Reply{Code: capsule.OK, CapsuleID: call.Command.Target, Message: string(from)}
}

// came returns the commands so far.
func (w *worker) came() []capsule.Command {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.commands)
}

func (w *worker) HandleFetch(_ context.Context, _ identity.PeerID, call mesh.FetchCall) (mesh.Blob, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	b, ok := w.blobs[call.CID]
	return b, ok
}

func (w *worker) add(b mesh.Blob) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.blobs[b.Manifest.CID] = b
}

// makeBlob is a capsule of n bytes, cut into chunks and signed.
func makeBlob(t *testing.T, n, chunk int) mesh.Blob {
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(i*7 + i>>8)
	}
	man := capsule.Manifest{CID: capsule.SumCID(data), Name: "test", ABIVersion: 1, Size: uint64(n), ChunkSize: uint32(chunk)}
	for at := 0; at < n; at += chunk {
		man.Chunks = append(man.Chunks, sha256.Sum256(data[at:min(at+chunk, n)]))
	}
	signed, err := wire.SealManifest(man, testkit.Key(1000))
	require.NoError(t, err)
	return mesh.Blob{Manifest: man, SignedManifest: signed, Wasm: data}
}

type node struct {
	*Mesh
	w *worker
}

func start(t *testing.T, i int, change func(*Config), via ...*node) *node {
	w := newWorker()
	cfg := Config{Key: testkit.Key(i), Handler: w, Listen: []string{listenWT}}
	for _, v := range via {
		cfg.Bootstrap = append(cfg.Bootstrap, v.Addrs()[0])
	}
	if change != nil {
		change(&cfg)
	}
	m, err := New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return &node{m, w}
}

// until waits for an event that matches; the test's own deadline bounds it.
func until(t *testing.T, n *node, match func(mesh.Event) bool) mesh.Event {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		select {
		case e, ok := <-n.Events():
			require.True(t, ok, "events ended")
			if match(e) {
				return e
			}
		case <-ctx.Done():
			require.Fail(t, "no such event")
		}
	}
}

func connected(to *node) func(mesh.Event) bool {
	return func(e mesh.Event) bool { return e == mesh.Event(mesh.PeerConnected{Peer: to.Self()}) }
}

func profile(caps ...string) mesh.Profile {
	return mesh.Profile{Name: "n", Capabilities: caps, CreditCost: 10, FreeSlots: 2, Expires: time.Now().Add(time.Minute)}
}

func call(method string, input []byte) mesh.JobCall {
	job := governance.Job{ID: "job-1", Method: method}
	return mesh.JobCall{
		Envelope: governance.Envelope{ID: "env-1", Type: "job:run:v1", Timestamp: time.Unix(1, 0), Metadata: governance.Metadata{TraceParent: "tp"}},
		Job:      job, Input: input,
	}
}

func TestFourNodes(t *testing.T) {
	a := start(t, 1, nil)
	b := start(t, 2, nil, a)
	c := start(t, 3, nil, a)
	d := start(t, 4, func(cfg *Config) { cfg.Listen = nil }, a)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, n := range []*node{b, c, d} {
		until(t, n, connected(a))
	}
	// d hears b by gossip through a, though it is connected to a only. A node
	// publishes again and again, as it changes: what was said while gossipsub was
	// still grafting its mesh is lost for those who joined in that moment.
	require.NoError(t, c.Publish(ctx, profile("gpu")))
	heard := make(chan mesh.Profile, 1)
	go func() {
		for e := range d.Events() {
			if h, ok := e.(mesh.ProfileHeard); ok && h.Profile.Peer == b.Self() {
				heard <- h.Profile
				return
			}
		}
	}()
	require.Eventually(t, func() bool {
		require.NoError(t, b.Publish(ctx, profile("gpu", "simd")))
		return len(heard) == 1
	}, 30*time.Second, 100*time.Millisecond)
	said := <-heard
	require.Equal(t, []string{"gpu", "simd"}, said.Capabilities)
	require.Equal(t, "native", said.Kind)

	// The directory may need a moment: the routing tables fill in the background.
	var found []mesh.Profile
	require.Eventually(t, func() bool {
		var err error
		found, err = d.Find(ctx, "gpu")
		return err == nil && len(found) == 2
	}, 30*time.Second, 50*time.Millisecond)
	peers := map[identity.PeerID]bool{found[0].Peer: true, found[1].Peer: true}
	require.True(t, peers[b.Self()] && peers[c.Self()])
	only, err := d.Find(ctx, "simd")
	require.NoError(t, err)
	require.Len(t, only, 1)
	none, err := d.Find(ctx, "quantum")
	require.NoError(t, err)
	require.Empty(t, none)

	rtt, err := d.Ping(ctx, b.Self())
	require.NoError(t, err)
	require.Positive(t, rtt)

	var seen []mesh.Progress
	jc := call("progress", bytes.Repeat([]byte("abc"), 500_000))
	jc.Voucher = []byte("voucher")
	out, err := d.RunJob(ctx, b.Self(), jc, func(p mesh.Progress) { seen = append(seen, p) })
	require.NoError(t, err)
	require.Equal(t, bytes.Repeat([]byte("ABC"), 500_000), out.Output)
	require.Equal(t, b.Self(), out.Node)
	require.Equal(t, "voucher", string(out.Receipt))
	for _, p := range seen {
		require.Equal(t, mesh.Progress{Done: 1, Total: 2, Cost: 7}, p)
	}

	blob := makeBlob(t, 3_000_001, 256<<10)
	d.w.add(blob)
	jc = call("fetch", nil)
	jc.Job.Capsule = blob.Manifest.CID.String()
	out, err = d.RunJob(ctx, b.Self(), jc, nil)
	require.NoError(t, err)
	require.Equal(t, mesh.JobOK, out.Code, out.Message)
	require.EqualValues(t, len(blob.Wasm), out.FetchedBytes)
	got, err := c.FetchCapsule(ctx, a.Self(), mesh.FetchCall{CID: blob.Manifest.CID})
	require.ErrorIs(t, err, mesh.ErrNotFound)
	require.Nil(t, got.Wasm)

	reply, err := d.Command(ctx, c.Self(), mesh.CommandCall{Command: capsule.Command{ID: "c-1", Type: capsule.Pause, Target: "x", Timestamp: time.Now()}})
	require.NoError(t, err)
	require.Equal(t, capsule.Reply{ID: "c-1", CapsuleID: "x", Message: string(d.Self()), Timestamp: reply.Timestamp}, reply)

	listed := d.Peers()
	require.Len(t, listed, 3)
	for _, p := range listed {
		require.True(t, p.Connected)
		if p.Profile.Peer == b.Self() {
			require.Equal(t, rtt, p.RTT)
		}
	}
}

func pair(t *testing.T, i int, changeB func(*Config)) (a, b *node) {
	b = start(t, i, changeB)
	a = start(t, i+1, nil)
	_, err := a.Connect(t.Context(), b.Addrs()[0])
	require.NoError(t, err)
	return a, b
}

func TestNodeGoesAwayMidJob(t *testing.T) {
	a, b := pair(t, 10, nil)
	failed := make(chan error, 1)
	go func() {
		_, err := a.RunJob(t.Context(), b.Self(), call("hang", nil), nil)
		failed <- err
	}()
	<-b.w.started
	require.NoError(t, b.Close())
	require.ErrorIs(t, <-failed, mesh.ErrUnreachable)
	require.Error(t, <-b.w.ended)
	until(t, a, func(e mesh.Event) bool { return e == mesh.Event(mesh.PeerDisconnected{Peer: b.Self()}) })
	_, err := a.Ping(t.Context(), b.Self())
	require.ErrorIs(t, err, mesh.ErrUnreachable)
	_, err = b.Ping(t.Context(), a.Self())
	require.ErrorIs(t, err, mesh.ErrClosed)
}

func TestCallerGoesAwayOrCancels(t *testing.T) {
	a, b := pair(t, 20, nil)
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	run := func(ctx context.Context) {
		_, err := a.RunJob(ctx, b.Self(), call("hang", nil), nil)
		failed <- err
	}
	go run(ctx)
	<-b.w.started
	cancel()
	require.ErrorIs(t, <-failed, mesh.ErrCancelled)
	require.Error(t, <-b.w.ended)

	ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	go run(ctx)
	require.ErrorIs(t, <-failed, mesh.ErrTimeout)
	require.Error(t, <-b.w.ended)
	<-b.w.started

	// The job's own deadline ends it too, and the outcome still comes back.
	jc := call("hang", nil)
	jc.Job.Deadline = time.Now().Add(100 * time.Millisecond)
	out, err := a.RunJob(t.Context(), b.Self(), jc, nil)
	require.NoError(t, err)
	require.Equal(t, mesh.JobCancelled, out.Code)
	require.ErrorIs(t, <-b.w.ended, context.DeadlineExceeded)
	<-b.w.started

	go run(t.Context())
	<-b.w.started
	require.NoError(t, a.Close())
	require.ErrorIs(t, <-failed, mesh.ErrClosed)
	require.Error(t, <-b.w.ended)
}

func TestArtificialLatencyIsPipelined(t *testing.T) {
	const late = 60 * time.Millisecond
	a, b := pair(t, 30, func(c *Config) { c.ArtificialLatency = late })
	rtt, err := a.Ping(t.Context(), b.Self())
	require.NoError(t, err)
	require.GreaterOrEqual(t, rtt, late)
	out, err := a.RunJob(t.Context(), b.Self(), call("", bytes.Repeat([]byte("x"), 4<<20)), nil)
	require.NoError(t, err)
	require.Len(t, out.Output, 4<<20)
	// Sixteen output frames, each as late as the first: were they delayed one
	// after the other, this would take a second, and the handler's end would wait.
	blob := makeBlob(t, 4<<20, 64<<10)
	b.w.add(blob)
	got, err := a.FetchCapsule(t.Context(), b.Self(), mesh.FetchCall{CID: blob.Manifest.CID})
	require.NoError(t, err)
	require.Equal(t, blob.Wasm, got.Wasm)
}

func TestManyJobsAtOnce(t *testing.T) {
	a, b := pair(t, 40, nil)
	var wg sync.WaitGroup
	errs := make(chan error, 100)
	for range 100 {
		wg.Go(func() {
			out, err := a.RunJob(t.Context(), b.Self(), call("", []byte("hi")), nil)
			if err == nil && string(out.Output) != "HI" {
				err = errors.New("wrong output")
			}
			errs <- err
		})
	}
	wg.Wait()
	for range 100 {
		require.NoError(t, <-errs)
	}
}
