package kernel

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/mesh"
	"inos/internal/testkit"
	"inos/internal/threads/watcher"
)

// While its user is active a node takes no jobs of others: it says so, and it means
// it. Its own jobs run on it, what it had in hand is finished, and when the user is
// gone it works for others again, at once.
func TestVolunteerWorkPauses(t *testing.T) {
	for name, stop := range map[string]watcher.Signal{"user": watcher.Activity{}, "battery": watcherBattery(0.1)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { volunteer(t, stop) })
		})
	}
}

func volunteer(t *testing.T, stop watcher.Signal) {
	w := newWorld(t)
	rarely := func(c *Config) { c.PublishEvery = 35 * time.Second } // but for changes
	home := w.start("home", func(c *Config) { rarely(c); c.Slots = -1 })
	page := w.start("page", func(c *Config) { rarely(c); c.Kind, c.Slots = "browser", 3 })
	require.NoError(t, home.blobs.Accept(testBlob()))
	require.NoError(t, page.blobs.Accept(testBlob()))
	w.meet(home, page)
	time.Sleep(40 * time.Second)
	says := func() uint32 {
		n, ok := infoOf(t, home.Kernel, page.Self())
		require.True(t, ok)
		return n.Profile.FreeSlots
	}
	require.EqualValues(t, 3, says())
	long := func(s *Submission) { s.Job.Args = []string{"10s"} }
	ended := make(chan error, 2)
	dispatch := func() {
		go func() { _, err := home.Dispatch(context.Background(), submission("x", long)); ended <- err }()
	}
	dispatch()
	time.Sleep(time.Second)

	events, cancel := page.Subscribe(64)
	defer cancel()
	require.NoError(t, page.Signal(stop))
	time.Sleep(time.Second)
	require.Zero(t, says())
	require.Len(t, namesOf(events, "mining:stop"), 1)
	sub := submission("x", nil)
	serve := func() mesh.JobOutcome {
		return page.HandleJob(t.Context(), testkit.NamedPeer("other"), mesh.JobCall{Envelope: sub.Envelope, Job: sub.Job, Input: sub.Input}, nil, func(mesh.Progress) {})
	}
	served := serve()
	require.Equal(t, mesh.JobBusy, served.Code, "whoever has not heard of it")
	require.Equal(t, userActive, served.Message)
	out, err := page.Dispatch(t.Context(), submission("x", nil))
	require.NoError(t, err)
	require.True(t, out.Local, "its user's own job")
	dispatch()
	time.Sleep(15 * time.Second)
	require.NoError(t, <-ended, "what was in hand is finished")
	require.Zero(t, page.capsules.running.Load(), "and the next one waits")
	require.Empty(t, ended)
	require.Zero(t, says(), "also after a slot came back")
	n, ok := infoOf(t, page.Kernel, page.Self())
	require.True(t, ok)
	require.EqualValues(t, 3, n.FreeSlots, "for itself it has them")
	require.Zero(t, n.Profile.FreeSlots)

	if _, is := stop.(watcher.Battery); is {
		require.NoError(t, page.Signal(watcherBattery(0.9)))
	} else {
		time.Sleep(15 * time.Second) // 31 s after the user's last move
	}
	time.Sleep(2 * time.Second)
	require.Len(t, namesOf(events, "mining:start"), 1)
	require.EqualValues(t, 2, says(), "one is taken by the job that waited")
	require.NoError(t, <-ended)
	require.Equal(t, mesh.JobOK, serve().Code)
}

// namesOf takes what waits of events and returns those of a name.
func namesOf(events <-chan Event, name string) (out []Event) {
	for len(events) > 0 {
		if e := <-events; e.Name() == name {
			out = append(out, e)
		}
	}
	return out
}

// A node that always works does, whatever its host says.
func TestTirelessNodesWorkOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		home := w.start("home", func(c *Config) { c.Slots = -1 })
		mill := w.start("mill", func(c *Config) { c.AlwaysVolunteer = true })
		require.NoError(t, home.blobs.Accept(testBlob()))
		w.meet(home, mill)
		time.Sleep(10 * time.Second)
		require.NoError(t, mill.Signal(watcherBattery(0.05)))
		require.NoError(t, mill.Signal(watcher.Activity{}))
		time.Sleep(5 * time.Second)
		out, err := home.Dispatch(t.Context(), submission("x", nil))
		require.NoError(t, err)
		require.Equal(t, mill.Self(), out.Node)
	})
}
