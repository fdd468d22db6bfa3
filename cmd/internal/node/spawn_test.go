//go:build !js

package node

import (
	"errors"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/kernel"
	"inos/internal/kernel/lifecycle"
	"inos/internal/supervisor"
	"inos/internal/testkit/capsules"
)

// called has a spawned capsule do a task.
func called(t *testing.T, on *peer, id, method string, args ...string) (string, error) {
	t.Helper()
	out, err := on.Supervisor.Call(t.Context(), id, 0, capsule.Task{Method: method, Args: args}, nil)
	return string(out), err
}

func infoOf(on *peer, id string) supervisor.Info {
	for _, in := range on.Supervisor.List() {
		if in.ID == id {
			return in
		}
	}
	return supervisor.Info{}
}

// What a Spawn says beside the CID reaches the supervisor of another node and the
// capsule: arguments, restart policy, group, capabilities.
func TestASpawnOnAnotherNodeIsTheSameAsHere(t *testing.T) {
	home, far := neighbours(t, 91)
	for _, on := range []*peer{home, far} {
		spawn := func(name string, p capsule.SpawnParams) (capsule.Reply, error) {
			p.Wasm, p.CreditLedgerID = capsules.Built(t, name), string(home.Signer.Ledger())
			p.CID = capsule.SumCID(p.Wasm).String()
			return home.Kernel.Command(t.Context(), on.mesh.Self(), capsule.Command{ID: name, Type: capsule.Spawn, Spawn: &p,
				Deadline: time.Now().Add(time.Minute)})
		}
		group := capsule.SpawnParams{Args: []string{"one", "zwei ß"}, Restart: capsule.Permanent, Group: "g", Strategy: capsule.RestForOne}
		first, err := spawn("fault", group)
		require.NoError(t, err)
		require.Equal(t, capsule.OK, first.Code, first.Message)
		second, err := spawn("wordcount", group)
		require.NoError(t, err)
		require.Equal(t, capsule.OK, second.Code, second.Message)

		out, err := called(t, on, first.CapsuleID, "args")
		require.NoError(t, err)
		require.Equal(t, "one\nzwei ß\n", out)
		_, err = called(t, on, first.CapsuleID, "panic")
		require.ErrorIs(t, err, capsule.ErrPanicked)
		require.Eventually(t, func() bool {
			a, b := infoOf(on, first.CapsuleID), infoOf(on, second.CapsuleID)
			return a.Restarts == 1 && b.Restarts == 1 && a.State == supervisor.Healthy && b.State == supervisor.Healthy
		}, 30*time.Second, time.Millisecond, "both, for the second comes after the first")
		out, err = called(t, on, first.CapsuleID, "args")
		require.NoError(t, err)
		require.Equal(t, "one\nzwei ß\n", out, "after a restart too")

		r, err := spawn("hash", capsule.SpawnParams{Capabilities: []string{"gpu"}})
		require.NoError(t, err)
		require.Equal(t, capsule.Refused, r.Code)
		require.Equal(t, "capability_missing", r.Reason)
		r, err = spawn("hash", capsule.SpawnParams{Group: "g"})
		require.NoError(t, err)
		require.Equal(t, capsule.BadParams, r.Code, "the group restarts the rest")
	}
}

// A module given as bytes goes to another node by its name: a command is short, and
// what it names travels once it has been let in.
func TestASpawnOfBytesElsewhere(t *testing.T) {
	home, away := neighbours(t, 96)
	wasm := capsules.Built(t, "image") // more than a command may hold
	require.Greater(t, len(wasm), 64<<10)
	spawn := capsule.Command{ID: "1", Type: capsule.Spawn, Spawn: &capsule.SpawnParams{Wasm: wasm}}
	r := command(t, home, away, spawn)
	require.True(t, away.Library.Has(capsule.SumCID(wasm)))
	command(t, home, away, capsule.Command{Type: capsule.Pause, Target: r.CapsuleID})
	image := command(t, home, away, capsule.Command{Type: capsule.Snapshot, Target: r.CapsuleID})
	command(t, home, away, capsule.Command{Type: capsule.Kill, Target: r.CapsuleID})
	require.NotEmpty(t, image.SnapshotCID)
	require.Equal(t, wasm, spawn.Spawn.Wasm, "the caller's command is left alone")
}

// A snapshot has its capsule's arguments, unless its spawn brings others.
func TestASnapshotKeepsTheArguments(t *testing.T) {
	home := start(t, 93, nil)
	wasm := capsules.Built(t, "fault")
	r := command(t, home, home, capsule.Command{Type: capsule.Spawn, Spawn: &capsule.SpawnParams{Wasm: wasm, Args: []string{"kept"}}})
	command(t, home, home, capsule.Command{Type: capsule.Pause, Target: r.CapsuleID})
	image := command(t, home, home, capsule.Command{Type: capsule.Snapshot, Target: r.CapsuleID})
	command(t, home, home, capsule.Command{Type: capsule.Kill, Target: r.CapsuleID})
	_, err := home.Library.Publish("fault", wasm)
	require.NoError(t, err)
	for _, c := range []struct {
		args []string
		want string
	}{{nil, "kept\n"}, {[]string{"others"}, "others\n"}} {
		r = command(t, home, home, capsule.Command{Type: capsule.Spawn, Spawn: &capsule.SpawnParams{CID: image.SnapshotCID, Args: c.args}})
		out, err := called(t, home, r.CapsuleID, "args")
		require.NoError(t, err)
		require.Equal(t, c.want, out)
		command(t, home, home, capsule.Command{Type: capsule.Kill, Target: r.CapsuleID})
	}
}

// An endless loop does not pause: that is reported, and kills it where the node says so.
func TestAnOverduePause(t *testing.T) {
	for name, policy := range map[string]supervisor.OverduePolicy{"report": supervisor.ReportOverdue, "kill": supervisor.KillOverdue} {
		t.Run(name, func(t *testing.T) {
			home := start(t, 94, func(c *Config) { c.Overdue = policy })
			id := command(t, home, home, capsule.Command{Type: capsule.Spawn,
				Spawn: &capsule.SpawnParams{Wasm: capsules.Built(t, "fault"), Restart: capsule.Temporary}}).CapsuleID
			events, cancel := home.Kernel.Subscribe(1 << 12)
			defer cancel()
			looping, ended := make(chan struct{}, 1), make(chan error, 1)
			go func() {
				_, err := home.Supervisor.Call(t.Context(), id, 0, capsule.Task{Method: "spin"}, func(uint64, uint64) { looping <- struct{}{} })
				ended <- err
			}()
			<-looping
			r, err := home.Kernel.Command(t.Context(), "", capsule.Command{ID: "1", Type: capsule.Pause, Target: id, Deadline: time.Now().Add(100 * time.Millisecond)})
			require.NoError(t, err)
			require.Equal(t, capsule.Deadline, r.Code)
			for overdue := false; !overdue; {
				if news, ok := (<-events).(kernel.CapsuleNews); ok {
					var e supervisor.PauseOverdue
					if e, overdue = news.Event.(supervisor.PauseOverdue); overdue {
						require.Equal(t, "capsule:overdue", news.Name())
						require.Equal(t, id, e.ID)
						require.Equal(t, policy == supervisor.KillOverdue, e.Killed)
					}
				}
			}
			if policy == supervisor.KillOverdue {
				require.ErrorIs(t, <-ended, capsule.ErrKilled)
				require.Eventually(t, func() bool { return infoOf(home, id).State == supervisor.Failed }, 30*time.Second, time.Millisecond)
				require.ErrorIs(t, infoOf(home, id).LastError, supervisor.ErrPauseOverdue)
				return
			}
			require.Empty(t, ended)
			command(t, home, home, capsule.Command{Type: capsule.Kill, Target: id})
			require.Error(t, <-ended)
		})
	}
}

// What a capsule emits comes out whole and in order, at its reader's pace.
func TestListeningToACapsule(t *testing.T) {
	home, far := neighbours(t, 95)
	id := spawn(t, home, home, "fault").CapsuleID
	heard, err := home.Kernel.Listen("", id)
	require.NoError(t, err)
	const frames, size = 2000, 5000
	emitted := make(chan error, 1)
	go func() { _, err := called(t, home, id, "emit", "2000", "5000"); emitted <- err }()
	frame := make([]byte, size)
	for n := range frames {
		_, err := io.ReadFull(heard, frame)
		require.NoError(t, err)
		require.Equal(t, uint64(n), uint64(frame[0])|uint64(frame[1])<<8|uint64(frame[2])<<16)
		if n == frames-300 { // more than what may wait
			require.Empty(t, emitted, "it was held back")
		}
	}
	require.NoError(t, <-emitted)
	require.Zero(t, infoOf(home, id).Unheard)

	// A stream through it: while nobody reads its output, its input is not read either.
	source := &text{left: 16 << 20}
	fed := make(chan error, 1)
	go func() { _, err := home.Kernel.Feed(t.Context(), "", id, source, lifecycle.FeedOptions{}); fed <- err }()
	want, n := &text{left: 16 << 20}, 0
	for buf, same := make([]byte, size), make([]byte, size); n < 16<<20; {
		got, err := heard.Read(buf)
		require.NoError(t, err)
		_, err = io.ReadFull(want, same[:got])
		require.NoError(t, err)
		require.Equal(t, same[:got], buf[:got])
		if n += got; n < 14<<20 {
			require.Empty(t, fed, "it was held back")
		}
	}
	require.NoError(t, <-fed)

	command(t, home, home, capsule.Command{Type: capsule.Kill, Target: id})
	_, err = heard.Read(frame)
	require.ErrorIs(t, err, capsule.ErrKilled)
	require.NoError(t, heard.Close())
	_, err = home.Kernel.Listen("", id)
	require.ErrorIs(t, err, supervisor.ErrNoCapsule)
	_, err = home.Kernel.Listen(far.mesh.Self(), id)
	require.ErrorIs(t, err, errors.ErrUnsupported)
}
