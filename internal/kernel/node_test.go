package kernel

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/kernel/placement"
	"inos/internal/mesh"
	"inos/internal/mesh/inproc"
	"inos/internal/scheduler"
	"inos/internal/supervisor"
	"inos/internal/testkit"
	"inos/internal/threads/watcher"
)

func infoOf(t *testing.T, k *Kernel, id identity.PeerID) (placement.NodeInfo, bool) {
	nodes, err := k.Nodes(t.Context())
	require.NoError(t, err)
	for _, n := range nodes {
		if n.Profile.Peer == id {
			return n, true
		}
	}
	return placement.NodeInfo{}, false
}

// failuresOf is what is held against a known node.
func failuresOf(t *testing.T, k *Kernel, id identity.PeerID) float64 {
	n, known := infoOf(t, k, id)
	require.True(t, known)
	return n.Failures
}

// missing are the known nodes that lack need, whatever a job asks for.
func missing(t *testing.T, k *Kernel, need scheduler.Requirement) (ids []identity.PeerID) {
	nodes, err := k.Nodes(t.Context())
	require.NoError(t, err)
	for _, n := range nodes {
		if slices.Contains(n.Missing, need) {
			ids = append(ids, n.Profile.Peer)
		}
	}
	return ids
}

// blame counts a failure of a node that is its own.
func (s *state) blame(id identity.PeerID) {
	s.nodes.Contradicted(placement.Kind{}, id, mesh.ErrUnreachable, 0, false, time.Now())
}

// A node's own claim does not make it look good; this node's measurements do.
func TestLatencyIsMeasuredNotBelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		liar := mesh.Profile{Peer: testkit.NamedPeer("liar"), CreditCost: 1, FreeSlots: 1, Latency: 0, Expires: time.Now().Add(time.Hour), Sequence: 1}
		c := newFakeMesh(nil)
		k := startOn(t, c, nil)
		c.events <- mesh.ProfileHeard{Profile: liar}
		synctest.Wait()
		n, ok := infoOf(t, k, liar.Peer)
		require.True(t, ok)
		require.False(t, n.Measured)
		require.Equal(t, 100*time.Millisecond, n.Latency)

		modest := liar
		modest.Peer, modest.Latency = testkit.NamedPeer("modest"), 300*time.Millisecond
		c.events <- mesh.ProfileHeard{Profile: modest}
		synctest.Wait()
		n, _ = infoOf(t, k, modest.Peer)
		require.Equal(t, 300*time.Millisecond, n.Latency, "a claim that makes it look worse is taken")

		require.NoError(t, k.loop.ask(t.Context(), func(s *state) {
			s.nodes.Measured(liar.Peer, 20*time.Millisecond)
			s.nodes.Measured(liar.Peer, 40*time.Millisecond)
		}))
		n, _ = infoOf(t, k, liar.Peer)
		require.True(t, n.Measured)
		require.Equal(t, 25*time.Millisecond, n.Latency, "a quarter of the way to the new sample")

		// Replays and impossible profiles change nothing.
		old, bad := liar, liar
		old.Sequence, old.CreditCost = 0, 999
		bad.Sequence, bad.Latency = 9, -1
		c.events <- mesh.ProfileHeard{Profile: old}
		c.events <- mesh.ProfileHeard{Profile: bad}
		synctest.Wait()
		n, _ = infoOf(t, k, liar.Peer)
		require.EqualValues(t, 1, n.Profile.CreditCost)
		require.EqualValues(t, 1, n.Profile.Sequence)

		events, cancel := k.Subscribe(16)
		defer cancel()
		time.Sleep(time.Hour + 2*time.Second)
		_, ok = infoOf(t, k, liar.Peer)
		require.False(t, ok, "expired")
		gone := 0
		for len(events) > 0 {
			if _, is := (<-events).(NodeGone); is {
				gone++
			}
		}
		require.Equal(t, 2, gone)
	})
}

// A node that answers no pings is forgotten, and comes back with a new profile.
func TestSilentNodeIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		home, other := w.start("home", nil), w.start("other", nil)
		w.net.SetLatency(home.Self(), other.Self(), 2*time.Millisecond)
		w.meet(home, other)
		time.Sleep(30 * time.Second)
		n, ok := infoOf(t, home.Kernel, other.Self())
		require.True(t, ok)
		require.Equal(t, 4*time.Millisecond, n.Latency)
		require.True(t, n.Connected)
		w.net.SetDrop(home.Self(), other.Self(), true)
		time.Sleep(40 * time.Second)
		_, ok = infoOf(t, home.Kernel, other.Self())
		require.False(t, ok)
		w.net.SetDrop(home.Self(), other.Self(), false)
		time.Sleep(30 * time.Second)
		_, ok = infoOf(t, home.Kernel, other.Self())
		require.True(t, ok)
	})
}

func TestJoinLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		server := w.start("server", func(c *Config) { c.Capabilities = []string{"gpu"} })
		home := startOn(t, nil, nil)
		_, err := home.Command(t.Context(), server.Self(), capsule.Command{})
		require.ErrorIs(t, err, ErrNoMesh)
		st, err := home.Status(t.Context())
		require.NoError(t, err)
		require.False(t, st.Joined)

		m, err := w.net.Join(testkit.NamedKey("home"), home)
		require.NoError(t, err)
		nowhere := inproc.AddrPrefix + string(testkit.NamedPeer("nobody"))
		require.ErrorIs(t, home.Join(t.Context(), m, []string{nowhere, "not an address"}), ErrBootstrap)
		require.NoError(t, home.Join(t.Context(), m, []string{nowhere, server.mesh.Addrs()[0]}), "one that answers will do")
		require.ErrorIs(t, home.Join(t.Context(), server.mesh, nil), ErrJoined)
		time.Sleep(time.Second)
		_, known := infoOf(t, home, server.Self())
		require.True(t, known)
	})
}

func TestCommandsCrossTheMesh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		home, server := w.start("home", nil), w.start("server", nil)
		w.meet(home, server)
		spawn := capsule.Command{ID: "1", Type: capsule.Spawn, Spawn: &capsule.SpawnParams{CID: "c", Wasm: []byte("x")}}
		events, cancel := home.Subscribe(64)
		defer cancel()
		r, err := home.Command(t.Context(), "", spawn)
		require.NoError(t, err)
		require.Equal(t, capsule.OK, r.Code)
		require.Equal(t, "capsule-1", r.CapsuleID)
		require.Len(t, home.CapsuleList(), 1)
		for e := range events {
			if c, ok := e.(Commanded); ok {
				require.Nil(t, c.Command.Spawn.Wasm, "events carry no modules")
				break
			}
		}
		require.NotNil(t, spawn.Spawn.Wasm)

		// Others may not, unless the policy says so or they own the capsule.
		r, err = home.Command(t.Context(), server.Self(), spawn)
		require.NoError(t, err)
		require.Equal(t, capsule.Denied, r.Code)
		require.Equal(t, "1", r.ID)
		require.Empty(t, server.capsules.commands)
		host, mine := hostFor(w, home)
		r, err = home.Command(t.Context(), host.Self(), capsule.Command{ID: "2", Type: capsule.Kill, Target: mine})
		require.NoError(t, err)
		require.Equal(t, capsule.OK, r.Code)
		r, err = home.Command(t.Context(), host.Self(), capsule.Command{ID: "3", Type: capsule.Kill, Target: "not mine"})
		require.NoError(t, err)
		require.Equal(t, capsule.Denied, r.Code)
		require.Len(t, host.capsules.commands, 2)
	})
}

// wrongDNA are envelopes of something that is no job which no node lets in.
var wrongDNA = map[string]func(*governance.Envelope){
	"no envelope":      func(e *governance.Envelope) { *e = governance.Envelope{} },
	"another kind":     func(e *governance.Envelope) { e.Type = mesh.FeedType },
	"no id":            func(e *governance.Envelope) { e.ID = "" },
	"a day old":        func(e *governance.Envelope) { e.Timestamp = e.Timestamp.Add(-24 * time.Hour) },
	"a false ledger":   func(e *governance.Envelope) { e.Metadata.CreditLedgerID = "ledger:me" },
	"a broken trace":   func(e *governance.Envelope) { e.Metadata.TraceParent = "00-1" },
	"a field too long": func(e *governance.Envelope) { e.Metadata.UserID = string(make([]byte, 1<<16)) },
}

// A capsule travels to who asks with DNA in order; to others it is not there.
func TestFetchesWithoutDNA(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		home, server := w.start("home", nil), w.start("server", nil)
		w.meet(home, server)
		require.NoError(t, server.blobs.Accept(testBlob()))
		fetch := func(change func(*governance.Envelope)) error {
			call, _ := home.modules.FetchCall(t.Context(), testBlob().Manifest.CID)
			change(&call.Envelope)
			_, err := home.mesh.FetchCapsule(t.Context(), server.Self(), call)
			return err
		}
		for what, change := range wrongDNA {
			require.ErrorIs(t, fetch(change), mesh.ErrNotFound, what)
		}
		require.NoError(t, fetch(func(*governance.Envelope) {}))
	})
}

// hostFor is a node whose policy lets guest spawn, with a capsule that it has spawned.
func hostFor(w *world, guest *member) (host *member, capsuleID string) {
	gate, err := governance.New(governance.Config{Ledgers: testkit.Balances{}, Policy: governance.Policy{
		Lifecycle: []governance.LifecycleRule{{Peer: guest.Self(), Commands: []capsule.CommandType{capsule.Spawn}}},
	}})
	require.NoError(w.t, err)
	host = w.start("host", func(c *Config) { c.Gate = gate })
	w.meet(guest, host)
	require.NoError(w.t, host.blobs.Accept(testBlob()))
	r, err := guest.Command(w.t.Context(), host.Self(), capsule.Command{ID: "spawn", Type: capsule.Spawn,
		Spawn: &capsule.SpawnParams{CID: capsule.SumCID(testWasm).String()}})
	require.NoError(w.t, err)
	require.Equal(w.t, capsule.OK, r.Code, r.Message)
	return host, r.CapsuleID
}

// A command's DNA is looked at before anything else.
func TestCommandsWithoutDNA(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		home := w.start("home", nil)
		server, mine := hostFor(w, home)
		send := func(change func(*governance.Envelope)) capsule.Reply {
			env := home.Message(t.Context(), mesh.CommandType, governance.Metadata{})
			change(&env)
			r, err := home.mesh.Command(t.Context(), server.Self(), mesh.CommandCall{Envelope: env,
				Command: capsule.Command{ID: "1", Type: capsule.Pause, Target: mine}})
			require.NoError(t, err)
			return r
		}
		for what, change := range wrongDNA {
			require.Equal(t, capsule.Denied, send(change).Code, what)
		}
		require.Len(t, server.capsules.commands, 1, "the spawn")
		require.Equal(t, capsule.OK, send(func(*governance.Envelope) {}).Code)
		require.Len(t, server.capsules.commands, 2)
	})
}

// While this node's capsules have no room, its jobs wait, and not in a hot loop.
func TestOwnCapsulesHaveNoRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		home := w.start("home", nil)
		require.NoError(t, home.blobs.Accept(testBlob()))
		home.capsules.busyUntil = time.Now().Add(10 * time.Second)
		out, err := home.Dispatch(t.Context(), submission("x", nil))
		require.NoError(t, err)
		require.LessOrEqual(t, out.Total, 12*time.Second)
		require.LessOrEqual(t, home.capsules.runs.Load(), int64(30))
	})
}

// The supervisor's events reach the watcher and the subscribers.
func TestCapsuleEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := startOn(t, newFakeMesh(nil), nil)
		events, cancel := k.Subscribe(64)
		defer cancel()
		require.ErrorIs(t, k.Signal(watcher.Battery{Level: 7}), watcher.ErrSignal)
		k.CapsuleEvent(supervisor.CapsuleStarted{ID: "c"})
		k.CapsuleEvent(supervisor.HeartbeatReceived{ID: "c", Heartbeat: capsule.Heartbeat{CapsuleID: "liar", Congested: true}})
		synctest.Wait()
		k.CapsuleEvent(supervisor.CapsuleEnded{ID: "c", Reason: "test"})
		synctest.Wait()
		var names []string
		for len(events) > 0 {
			e := <-events
			names = append(names, e.Name())
			if c, ok := e.(CapsuleChanged); ok {
				require.Equal(t, "c", c.Capsule.ID)
			}
		}
		require.ElementsMatch(t, []string{"capsule:started", "capsule:changed", "capsule:throttled", "sensors:fidelity",
			"capsule:ended", "capsule:changed", "capsule:throttled"}, names)
	})
}

func TestAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		home := w.start("home", nil)
		running := make(chan error, 1)
		require.NoError(t, home.blobs.Accept(testBlob()))
		go func() {
			_, err := home.Dispatch(context.Background(), submission("x", func(s *Submission) { s.Job.Args = []string{"1h"} }))
			running <- err
		}()
		time.Sleep(time.Second)
		events, cancel := home.Subscribe(64)
		home.stop()
		require.Error(t, <-running, "nothing hangs")
		cancel()
		for e := range events {
			require.NotEqual(t, "kernel:restarted", e.Name(), "%+v: an end in order is no failure", e)
		}
		_, err := home.Dispatch(t.Context(), submission("x", nil))
		require.ErrorIs(t, err, ErrStopped)
		_, err = home.Status(t.Context())
		require.ErrorIs(t, err, ErrStopped)
	})
}
