package kernel

import (
	"context"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/credit"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/kernel/placement"
	"inos/internal/mesh"
	"inos/internal/scheduler"
)

// Among more nodes than every placement looks at, a job that ran has its best nodes
// and why, and one that nobody can run has the whole explanation.
func TestDecisionsOfALargeMesh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peers := randomPeers(rand.New(rand.NewPCG(1, 2)), 3000)
		k := startOn(t, newFakeMesh(peers), nil)
		out, err := k.Dispatch(t.Context(), submission("x", nil))
		require.NoError(t, err)
		d := out.Decision
		require.False(t, d.Counted)
		require.Equal(t, 3000, d.Considered)
		require.Len(t, d.Top, placement.TopCandidates)
		require.Equal(t, out.Node, d.Top[0].Node.ID)
		require.NotEmpty(t, d.Top[placement.TopCandidates-1].Parts)
		require.Equal(t, "highest score", d.Why)

		nobody := governance.Requirements{MaxCost: 1, GeoPrefix: "00", Capabilities: []string{"gpu"}}
		out, err = k.Dispatch(t.Context(), submission("x", func(s *Submission) { s.Job.Requirements = nobody }))
		require.ErrorIs(t, err, scheduler.ErrNoCandidate)
		require.True(t, out.Decision.Counted)
		require.True(t, out.Decision.Looked)
		e, err := k.Explain(t.Context(), governance.Job{Requirements: nobody})
		require.NoError(t, err)
		require.NotEmpty(t, e.RuledOut)
		require.Equal(t, e.RuledOut, out.Decision.RuledOut)
		require.Equal(t, e.Advice(), out.Decision.Advice())

		only := string(peers[0].Profile.Peer)
		for _, p := range peers {
			if p.Profile.FreeSlots > 0 {
				only = string(p.Profile.Peer)
			}
		}
		require.NoError(t, k.loop.ask(t.Context(), func(s *state) {
			now := time.Now()
			r := scheduler.Request{JobID: "j", GeoPrefix: geoOf(peers, only)}
			for _, p := range peers {
				if id := string(p.Profile.Peer); id != only && p.Profile.GeoHash == r.GeoPrefix {
					r.Exclude = append(r.Exclude, p.Profile.Peer)
				}
			}
			require.Equal(t, "only candidate", s.nodes.Describe(r, nil, now).Why)
		}))
	})
}

func geoOf(peers []mesh.Peer, id string) string {
	for _, p := range peers {
		if string(p.Profile.Peer) == id {
			return p.Profile.GeoHash
		}
	}
	return ""
}

// A job can be explained from its first moment on, and after its end.
func TestDecisionOfAJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		home := w.start("home", func(c *Config) { c.Slots = -1 })
		require.NoError(t, home.blobs.Accept(testBlob()))
		worker := w.start("worker", func(c *Config) { c.Slots = 1 })
		w.net.SetLatency(home.Self(), worker.Self(), time.Millisecond)
		w.meet(home, worker)
		time.Sleep(time.Minute)
		long := func(s *Submission) {
			s.Job.Args, s.Job.Requirements.Capabilities = []string{"10s"}, []string{"simd"}
		}
		first, second := submission("x", long), submission("x", long)
		late := submission("x", func(s *Submission) { long(s); s.Job.Deadline = time.Now().Add(7 * time.Second) })
		ended := make(chan error, 3)
		var lateOut Outcome
		for _, sub := range []Submission{first, second, late} {
			go func() {
				out, err := home.Dispatch(t.Context(), sub)
				if sub.Job.ID == late.Job.ID {
					lateOut = out
				}
				ended <- err
			}()
			time.Sleep(time.Second)
		}
		d, node, err := home.Decision(t.Context(), first.Job.ID)
		require.NoError(t, err)
		require.Equal(t, worker.Self(), node)
		require.Equal(t, "only candidate", d.Why)
		d, node, err = home.Decision(t.Context(), second.Job.ID)
		require.NoError(t, err)
		require.Empty(t, node, "it waits")
		require.True(t, d.Counted)
		require.Equal(t, map[scheduler.Requirement]int{scheduler.NeedSlot: 1}, d.RuledOut)

		_, _, err = worker.Decision(t.Context(), first.Job.ID)
		require.ErrorIs(t, err, ErrNoJob, "it was dispatched elsewhere")
		require.Error(t, <-ended)
		require.Equal(t, 1, lateOut.Decision.Unlocks[scheduler.NeedSlot], "it waited until its end, and hears for what")
		require.NoError(t, <-ended)
		require.NoError(t, <-ended)
		for _, sub := range []Submission{first, second} {
			d, node, err = home.Decision(t.Context(), sub.Job.ID)
			require.NoError(t, err)
			require.Equal(t, worker.Self(), node)
			require.NotEmpty(t, d.Top)
		}
		_, _, err = worker.Decision(t.Context(), first.Job.ID)
		require.ErrorIs(t, err, ErrNoJob, "nor is it remembered there")
		_, _, err = home.Decision(t.Context(), "no such job")
		require.ErrorIs(t, err, ErrNoJob)
	})
}

// Jobs of this node that wait are not waiting here: its profile does not scare others
// off.
func TestOwnJobsAreNoQueueHere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peers := randomPeers(rand.New(rand.NewPCG(1, 2)), 5)
		for i := range peers {
			peers[i].Profile.FreeSlots, peers[i].Profile.Capabilities = 0, []string{"gpu"}
		}
		c := &profileRecorder{fakeMesh: newFakeMesh(peers)}
		k := startOn(t, c, func(c *Config) { c.Slots = 2 })
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 10)
		for range 10 {
			go func() { _, err := k.Dispatch(ctx, submission("x", needs("gpu"))); ended <- err }()
		}
		time.Sleep(30 * time.Second)
		st, err := k.Status(t.Context())
		require.NoError(t, err)
		require.Equal(t, 10, st.Waiting)
		require.Zero(t, c.last.QueueLength)
		require.EqualValues(t, 2, c.last.FreeSlots)
		require.NotNil(t, c.last.Coordinate, "and it says where it is")
		cancel()
		for range 10 {
			<-ended
		}
	})
}

// profileRecorder is a fakeMesh that keeps what is published.
type profileRecorder struct {
	*fakeMesh
	last mesh.Profile
}

func (c *profileRecorder) Publish(_ context.Context, p mesh.Profile) error {
	c.last = p
	return nil
}

// News of a node without a free slot wakes nobody, and of one with a slot as many as
// it has room for.
func TestNewsWakesWhomItConcerns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newScriptedMesh(3)
		for i := range m.peers {
			m.peers[i].Profile.FreeSlots = 0
		}
		m.hangs(func(identity.PeerID) bool { return true })
		r := credit.NewReputation(credit.ReputationConfig{})
		r.Note(m.peers[0].Profile.Peer, credit.DeedDone, time.Now()) // no stranger
		k := startOn(t, m, func(c *Config) { c.Reputation = r })
		calm := newsOnlyMatchmaker(t, k)
		require.NoError(t, k.loop.ask(t.Context(), func(*state) { k.matchmaker = calm }))
		ctx, cancel := context.WithCancel(t.Context())
		const jobs = 20
		ended := make(chan error, jobs)
		for range jobs {
			go func() { _, err := k.Dispatch(ctx, submission("x", nil)); ended <- err }()
		}
		synctest.Wait()
		require.Equal(t, jobs, calm.Waiting())
		p := m.peers[0].Profile
		p.Sequence++
		m.events <- mesh.ProfileHeard{Profile: p}
		synctest.Wait()
		require.Equal(t, jobs, calm.Waiting())
		p.Sequence, p.FreeSlots = p.Sequence+1, 3
		m.events <- mesh.ProfileHeard{Profile: p}
		synctest.Wait()
		require.Equal(t, jobs-3, calm.Waiting())
		cancel()
		for range jobs {
			<-ended
		}
	})
}

// Jobs that wait together get the best for all of them: where each by itself would take
// the same node, one of them takes the other, and says why.
func TestBestForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newScriptedMesh(2)
		for i := range m.peers {
			m.peers[i].Profile.FreeSlots = 0
			m.peers[i].Profile.Capabilities = []string{"simd"}
		}
		m.peers[1].Profile.Capabilities = []string{"simd", "gpu"} // the best, and the only one with a gpu
		m.hangs(func(identity.PeerID) bool { return true })
		k := startOn(t, m, nil)
		events, cancelEvents := k.Subscribe(64)
		defer cancelEvents()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 2)
		easy := submission("x", needs("simd"))
		hard := submission("x", needs("gpu"))
		for _, sub := range []Submission{easy, hard} {
			go func() { _, err := k.Dispatch(ctx, sub); ended <- err }()
			synctest.Wait()
		}
		require.NoError(t, k.loop.ask(t.Context(), func(s *state) { // both at once
			for _, p := range m.peers {
				profile := p.Profile
				profile.Sequence, profile.FreeSlots = 2, 1
				s.nodes.Hear(profile, time.Now())
			}
		}))
		synctest.Wait()
		placed := map[string]JobPlacedEvent{}
		for len(events) > 0 {
			if e, ok := (<-events).(JobPlacedEvent); ok {
				placed[e.JobID] = e
			}
		}
		require.Len(t, placed, 2)
		require.Equal(t, m.peers[0].Profile.Peer, placed[easy.Job.ID].Node)
		require.Equal(t, "best for all of 2 jobs that waited together", placed[easy.Job.ID].Decision.Why)
		require.Equal(t, m.best, placed[easy.Job.ID].Decision.Top[0].Node.ID, "as things were")
		require.Len(t, placed[easy.Job.ID].Decision.Top, 2, "before any slot was set aside")
		require.Equal(t, m.best, placed[hard.Job.ID].Node)
		require.Equal(t, "only candidate", placed[hard.Job.ID].Decision.Why)
		cancel()
		<-ended
		<-ended
	})
}
