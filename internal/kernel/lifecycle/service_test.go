package lifecycle

import (
	"bytes"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/supervisor"
)

// A module that is here travels to the node that is to spawn it, which nobody else may command
// or call from then on but the node that spawned it.
func TestSpawnElsewhere(t *testing.T) {
	for name, spawn := range map[string]capsule.Command{
		"by CID":   spawnOf(moduleCID()),
		"as bytes": {ID: "1", Type: capsule.Spawn, Spawn: &capsule.SpawnParams{Wasm: module}},
	} {
		t.Run(name, func(t *testing.T) {
			net := network{}
			home, far, other := net.start(t, "home", nil), net.start(t, "far", nil), net.start(t, "other", nil)
			require.NoError(t, home.blobs.Accept(blob()))
			r, err := home.Command(t.Context(), "far", spawn)
			require.NoError(t, err)
			require.Equal(t, capsule.OK, r.Code, r.Message)
			require.True(t, far.blobs.Has(capsule.SumCID(module)))
			require.Equal(t, moduleCID(), far.capsules.commands[0].Spawn.CID)
			require.Empty(t, far.capsules.commands[0].Spawn.Wasm, "it travels as a module")
			require.Zero(t, far.blobs.Pins(), "nobody needs it to stay")

			kill := capsule.Command{ID: "2", Type: capsule.Kill, Target: r.CapsuleID}
			denied, err := other.Command(t.Context(), "far", kill)
			require.NoError(t, err)
			require.Equal(t, capsule.Denied, denied.Code)
			out, err := home.Call(t.Context(), "far", r.CapsuleID, capsule.Task{Input: []byte("hello")}, CallOptions{})
			require.NoError(t, err)
			require.Equal(t, []byte("hello"), out.Output)
			for _, s := range []*site{other, far} { // not even its own console
				_, err = s.Call(t.Context(), "far", r.CapsuleID, capsule.Task{}, CallOptions{})
				require.ErrorIs(t, err, ErrDenied)
			}
			killed, err := home.Command(t.Context(), "far", kill)
			require.NoError(t, err)
			require.Equal(t, capsule.OK, killed.Code)
		})
	}
}

// What cannot be had, may not leave or comes to a node that leaves is not spawned.
func TestSpawnIsRefused(t *testing.T) {
	net := network{}
	home, far := net.start(t, "home", nil), net.start(t, "far", nil)
	r, err := home.Command(t.Context(), "far", spawnOf(moduleCID()))
	require.NoError(t, err)
	require.Equal(t, capsule.BadParams, r.Code, "it is on neither node")
	require.Contains(t, r.Message, mesh.ErrNotFound.Error())
	require.NoError(t, home.blobs.Accept(blob()))
	far.draining = true
	r, err = home.Command(t.Context(), "far", spawnOf(moduleCID()))
	require.NoError(t, err)
	require.Equal(t, capsule.Refused, r.Code)
	require.Equal(t, ErrDraining.Code(), r.Reason)
	far.draining, home.denied = false, "far"
	_, err = home.Command(t.Context(), "far", spawnOf(moduleCID()))
	require.ErrorIs(t, err, ErrDenied)
	_, err = home.Call(t.Context(), "far", "x", capsule.Task{}, CallOptions{})
	require.ErrorIs(t, err, ErrDenied)
	asks := spawnOf(moduleCID())
	asks.Spawn.Capabilities = []string{"gpu"}
	r, err = home.Command(t.Context(), "", asks)
	require.NoError(t, err)
	require.Equal(t, ErrNoCapability.Code(), r.Reason)
	require.Zero(t, far.capsules.spawned+home.capsules.spawned)
}

// A snapshot that this node had made elsewhere comes from there, with its module.
func TestSnapshotComesFromWhereItWasMade(t *testing.T) {
	net := network{}
	home, far := net.start(t, "home", nil), net.start(t, "far", nil)
	require.NoError(t, far.blobs.Accept(blob()))
	image := (&capsule.Image{CapsuleCID: capsule.SumCID(module)}).Encode(false)
	cid := capsule.SumCID(image)
	require.NoError(t, far.cfg.Snapshots.PutImage(t.Context(), cid, image))
	r, err := home.Command(t.Context(), "", spawnOf(cid.String()))
	require.NoError(t, err)
	require.Equal(t, capsule.OK, r.Code, "the supervisor is to refuse what nobody knows")
	_, kept, _ := home.modules.image(t.Context(), cid)
	require.False(t, kept)

	home.modules.locate("far", capsule.Command{Type: capsule.Snapshot}, capsule.Reply{SnapshotCID: cid.String()})
	_, err = home.Command(t.Context(), "", spawnOf(cid.String()))
	require.NoError(t, err)
	_, kept, _ = home.modules.image(t.Context(), cid)
	require.True(t, kept)
	require.True(t, home.blobs.Has(capsule.SumCID(module)))

	// A Snapshot that failed was made nowhere, and of many the oldest is forgotten.
	home.modules.locate("other", capsule.Command{Type: capsule.Snapshot}, capsule.Reply{Code: capsule.Refused, SnapshotCID: cid.String()})
	at, known := home.modules.snapshots.find(cid)
	require.True(t, known)
	require.Equal(t, identity.PeerID("far"), at)
	for i := range maxLocations {
		home.modules.snapshots.add(capsule.SumCID([]byte{byte(i), byte(i >> 8)}), "far")
	}
	_, known = home.modules.snapshots.find(cid)
	require.False(t, known)
}

// Who spawned a capsule is remembered as long as the capsule is listed, and no longer.
func TestSpawnersOfTheGoneAreForgotten(t *testing.T) {
	net := network{}
	home, far := net.start(t, "home", nil), net.start(t, "far", nil)
	require.NoError(t, far.blobs.Accept(blob()))
	for range 1000 {
		r, err := home.Command(t.Context(), "far", spawnOf(moduleCID()))
		require.NoError(t, err)
		require.Equal(t, identity.PeerID("home"), far.spawner(r.CapsuleID))
		require.LessOrEqual(t, len(far.spawners), 16)
		far.capsules.list = far.capsules.list[max(0, len(far.capsules.list)-15):] // the supervisor lists a few of those that have ended
	}
}

// A stream is not read while its capsule is congested, and ends with its capsule.
func TestFeedFollowsItsCapsule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := network{}
		home, far := net.start(t, "home", nil), net.start(t, "far", nil)
		require.NoError(t, far.blobs.Accept(blob()))
		r, err := home.Command(t.Context(), "far", spawnOf(moduleCID()))
		require.NoError(t, err)
		id := r.CapsuleID
		taken, err := home.Feed(t.Context(), "far", id, bytes.NewReader(make([]byte, 100_000)), FeedOptions{})
		require.NoError(t, err)
		require.EqualValues(t, 100_000, taken)
		require.Len(t, far.capsules.taken, 100_000)

		_ = far.adjuster.Valve(id)
		require.NoError(t, far.adjuster.Capsule(id, true))
		fed := make(chan error, 1)
		go func() {
			_, err := home.Feed(t.Context(), "far", id, bytes.NewReader([]byte("more")), FeedOptions{})
			fed <- err
		}()
		time.Sleep(time.Hour)
		require.Len(t, far.capsules.taken, 100_000, "it is congested")
		require.NoError(t, far.adjuster.Gone(id, capsule.ErrKilled))
		err = <-fed
		require.ErrorIs(t, err, capsule.ErrKilled)
		var end *FeedError
		require.ErrorAs(t, err, &end)
		require.Equal(t, identity.PeerID("far"), end.Node)

		other := net.start(t, "other", nil)
		_, err = other.Feed(t.Context(), "far", id, bytes.NewReader(nil), FeedOptions{})
		require.ErrorIs(t, err, ErrDenied)
		_, err = far.Feed(t.Context(), "", "nobody", bytes.NewReader(nil), FeedOptions{})
		require.ErrorIs(t, err, supervisor.ErrNoCapsule)
	})
}

// listenableCapsules are capsules that can be listened to.
type listenableCapsules struct {
	*fakeCapsules
	to Listening
}

func (s listenableCapsules) Listen(string) (Listening, error) { return s.to, nil }

// bytesListening is a Listening of fixed bytes.
type bytesListening struct{ *bytes.Reader }

func (bytesListening) Close() error           { return nil }
func (bytesListening) Ended() <-chan struct{} { return nil }

func TestListenToACapsuleOfThisNode(t *testing.T) {
	net := network{}
	words := bytesListening{bytes.NewReader([]byte("words"))}
	home := net.start(t, "home", func(c *Config) { c.Capsules = listenableCapsules{&fakeCapsules{}, words} })
	for _, node := range []identity.PeerID{"", "home"} {
		l, err := home.Listen(node, "c")
		require.NoError(t, err)
		require.Equal(t, words, l)
	}
	_, err := home.Listen("far", "c")
	require.ErrorIs(t, err, errors.ErrUnsupported)
	_, err = net.start(t, "mute", nil).Listen("", "c")
	require.ErrorIs(t, err, errors.ErrUnsupported)
}
