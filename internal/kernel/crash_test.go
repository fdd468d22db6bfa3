package kernel

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/scheduler"
	"inos/internal/testkit"
	"inos/internal/threads/matchmaker"
)

// dispatchAll sends n jobs of this length, one every so often, and returns how each ended.
func dispatchAll(t *testing.T, home *member, n int, every time.Duration, change func(*Submission)) []error {
	t.Helper()
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			_, errs[i] = home.Dispatch(t.Context(), submission("x", change))
		})
		time.Sleep(every)
	}
	all.Wait()
	return errs
}

func lasting(d time.Duration) func(*Submission) {
	return func(s *Submission) { s.Job.Args = []string{d.String()} }
}

// Five nodes that look better and crash every few seconds cost no job beside a steady
// one: what was not sent is no attempt, and the last attempt goes to who has a record.
func TestCrashingNodesBesideASteadyOne(t *testing.T) {
	for seed := range uint64(10) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			pay := &countingPayments{}
			home := w.start("home", func(c *Config) { c.Slots, c.Payments = -1, pay })
			require.NoError(t, home.blobs.Accept(testBlob()))
			steady := w.start("steady", func(c *Config) { c.Slots, c.CreditCost = 8, 100 })
			w.meet(home, steady)
			random := rand.New(rand.NewPCG(seed, 1))
			over, stop := context.WithCancel(t.Context())
			var crashing sync.WaitGroup
			for i := range 5 {
				n := w.start(fmt.Sprintf("crashing-%d", i), nil)
				w.meet(home, n)
				up, down := time.Duration(1+random.IntN(4))*time.Second, time.Duration(500+random.IntN(3000))*time.Millisecond
				crashing.Go(func() {
					for {
						select {
						case <-time.After(up):
						case <-over.Done():
							return
						}
						w.net.SetDown(n.Self(), true)
						select {
						case <-time.After(down):
						case <-over.Done():
							return
						}
						w.net.SetDown(n.Self(), false)
					}
				})
			}
			time.Sleep(2 * time.Second)
			for i, err := range dispatchAll(t, home, 70, 300*time.Millisecond, lasting(400*time.Millisecond)) {
				require.NoError(t, err, "job %d of seed %d", i, seed)
			}
			stop()
			crashing.Wait()
		})
	}
}

// Jobs wait for the only worker, and it may have them again once it is back.
func TestTheOnlyWorkerComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		home := w.start("home", func(c *Config) { c.Slots = -1 })
		require.NoError(t, home.blobs.Accept(testBlob()))
		worker := w.start("worker", func(c *Config) { c.Slots = 4 })
		w.meet(home, worker)
		time.Sleep(2 * time.Second)
		time.AfterFunc(500*time.Millisecond, func() {
			w.net.SetDown(worker.Self(), true)
			time.AfterFunc(2*time.Second, func() { w.net.SetDown(worker.Self(), false) })
		})
		for i, err := range dispatchAll(t, home, 20, 0, lasting(time.Second)) {
			require.NoError(t, err, "job %d", i)
		}
	})
}

// What cannot be sent costs nothing and is no attempt, however many addresses nobody
// answers; a node that could not be reached is passed over, so that this ends.
func TestWhatIsNotSentIsNoAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const dead = 40
		var peers []mesh.Peer
		for i := range dead + 1 {
			peers = append(peers, mesh.Peer{Connected: true, RTT: time.Millisecond * time.Duration(i+1), Profile: mesh.Profile{
				Peer: testkit.NamedPeer(fmt.Sprint("peer", i)), CreditCost: 1, FreeSlots: 4, Expires: time.Now().Add(time.Hour), Sequence: 1,
			}})
		}
		alive := peers[dead].Profile.Peer
		c := newFakeMesh(peers)
		c.answers = map[identity.PeerID]func(context.Context, mesh.JobCall) (mesh.JobOutcome, error){}
		for _, p := range peers[:dead] {
			c.answers[p.Profile.Peer] = func(context.Context, mesh.JobCall) (mesh.JobOutcome, error) {
				return mesh.JobOutcome{}, fmt.Errorf("%w: %w", mesh.ErrUnsent, mesh.ErrUnreachable)
			}
		}
		pay := &countingPayments{}
		k := startOn(t, c, func(cfg *Config) { cfg.Slots, cfg.Payments = -1, pay })
		out, err := k.Dispatch(t.Context(), submission("x", nil))
		require.NoError(t, err)
		require.Equal(t, alive, out.Node)
		require.EqualValues(t, dead, pay.withdrawn.Load(), "nothing is held for what was not sent")
		require.EqualValues(t, 1, pay.paid.Load())
		require.Len(t, missing(t, k, scheduler.NeedReach), dead)
		for _, p := range peers[:dead] {
			require.Zero(t, failuresOf(t, k, p.Profile.Peer), "nothing is held against it")
		}
		before := c.calls["RunJob"]
		_, err = k.Dispatch(t.Context(), submission("x", nil))
		require.NoError(t, err)
		require.Equal(t, before+1, c.calls["RunJob"], "they are passed over now")

		// When all are dead the job waits, and the dead are asked less and less often.
		c.answers[alive] = c.answers[peers[0].Profile.Peer]
		before = c.calls["RunJob"]
		_, err = k.Dispatch(t.Context(), submission("x", nil))
		require.ErrorIs(t, err, matchmaker.ErrDeadline)
		require.LessOrEqual(t, c.calls["RunJob"]-before, 7*(dead+1), "within a minute")
	})
}

// A job that is dispatched before anybody has been heard of waits for profiles.
func TestWaitsForProfiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		home := w.start("home", func(c *Config) { c.Slots = -1 })
		require.NoError(t, home.blobs.Accept(testBlob()))
		coming := func(after time.Duration, name string) (came chan struct{}) {
			came = make(chan struct{})
			go func() {
				defer close(came)
				time.Sleep(after)
				w.meet(home, w.start(name, nil))
			}()
			return came
		}
		came := coming(5*time.Second, "late")
		out, err := home.Dispatch(t.Context(), submission("x", nil))
		<-came
		require.NoError(t, err)
		require.Equal(t, testkit.NamedPeer("late"), out.Node)
		require.Equal(t, 5*time.Second, out.Total, "not a moment longer")

		// So do jobs for several nodes.
		came = coming(20*time.Second, "later")
		out, err = home.Dispatch(t.Context(), submission("x", func(s *Submission) { s.Job.Replicas, s.Job.Budget = 2, 100 }))
		<-came
		require.NoError(t, err)
		require.Equal(t, 20*time.Second, out.Total)
	})
}

// A job that gets no node says why: what is missing first.
func TestSaysWhyThereIsNoNode(t *testing.T) {
	node := func(name string, change func(*mesh.Profile)) mesh.Peer {
		p := mesh.Profile{Peer: testkit.NamedPeer(name), CreditCost: 10, FreeSlots: 1, Capabilities: []string{"simd"}, GeoHash: "u33db", Expires: time.Now().Add(time.Hour), Sequence: 1}
		if change != nil {
			change(&p)
		}
		return mesh.Peer{Connected: true, RTT: time.Millisecond, Profile: p}
	}
	silent := mesh.Peer{Connected: true, Profile: mesh.Profile{Peer: testkit.NamedPeer("silent")}}
	for _, c := range []struct {
		name  string
		mesh  func() mesh.Mesh
		needs governance.Requirements
		slots int
		says  string
	}{
		{"no mesh", nil, governance.Requirements{}, -1, "this node has joined no mesh; this node takes no jobs"},
		{"no peer", func() mesh.Mesh { return newFakeMesh(nil) }, governance.Requirements{}, -1, "no peer is connected; this node takes no jobs"},
		{"not this one", func() mesh.Mesh { return newFakeMesh(nil) }, governance.Requirements{Capabilities: []string{"gpu"}}, 1,
			`no peer is connected; this node itself may not run it: 1 lacks a capability of ["gpu"]`},
		{"no profile", func() mesh.Mesh { return newFakeMesh([]mesh.Peer{silent}) }, governance.Requirements{}, -1, "1 peer is connected, and none of them has offered to run jobs"},
		{"none eligible", func() mesh.Mesh {
			return newFakeMesh([]mesh.Peer{node("a", nil), node("b", func(p *mesh.Profile) { p.CreditCost = 1 }), node("c", func(p *mesh.Profile) { p.GeoHash = "9q8yy" })})
		}, governance.Requirements{GeoPrefix: "u3", MaxCost: 5, Exclude: []string{string(testkit.NamedPeer("b"))}}, -1,
			`3 nodes are known, and none may run it: 1 lies outside "u3", 2 cost more than 5 microcredits a second, 1 is excluded by the job. ` +
				`Relaxing cost alone would let 1 of 3 nodes run it; a ceiling of 10 microcredits a second is enough for one; relaxing excluded alone`},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var m mesh.Mesh
				if c.mesh != nil {
					m = c.mesh()
				}
				k := startOn(t, m, func(cfg *Config) { cfg.Slots = c.slots })
				out, err := k.Dispatch(t.Context(), submission("x", func(s *Submission) {
					s.Job.Requirements, s.Job.Deadline = c.needs, time.Now().Add(8*time.Second)
				}))
				var nobody *NobodyError
				require.ErrorAs(t, err, &nobody)
				require.ErrorIs(t, err, scheduler.ErrNoCandidate)
				require.ErrorIs(t, err, matchmaker.ErrDeadline)
				require.Equal(t, 8*time.Second, out.Total, "it waited until its deadline")
				require.Equal(t, mesh.JobDeadline, out.Code)
				require.Contains(t, err.Error(), "no node for the job within 8s: "+c.says)
				require.True(t, out.Decision.Counted)
			})
		})
	}
}

// hangingDirectory is a fakeMesh whose directory has not answered when its caller gives up.
type hangingDirectory struct{ *fakeMesh }

func (hangingDirectory) Find(ctx context.Context, _ string) ([]mesh.Profile, error) {
	<-ctx.Done()
	return nil, mesh.ContextError(ctx)
}

// It says so as well when its deadline comes while the directory is asked, or when the
// nodes that would do had no slot all the time.
func TestSaysWhyItWasNeverSent(t *testing.T) {
	for _, c := range []struct {
		name  string
		needs []string
		says  string
	}{
		{"looked for", []string{"gpu"}, `no node for the job within 5s: 1 node is known, and none may run it: 1 lacks a capability of ["gpu"]`},
		{"no slot", nil, "it waited 5s in the queue for a free slot and was never sent to a node: 1 node is known, and none may run it: 1 has no free slot"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				node := mesh.Peer{Connected: true, RTT: time.Millisecond, Profile: mesh.Profile{Peer: testkit.NamedPeer("a"), CreditCost: 10, Expires: time.Now().Add(time.Hour), Sequence: 1}}
				k := startOn(t, hangingDirectory{newFakeMesh([]mesh.Peer{node})}, func(cfg *Config) { cfg.Slots = -1 })
				_, err := k.Dispatch(t.Context(), submission("x", func(s *Submission) {
					s.Job.Requirements.Capabilities, s.Job.Deadline = c.needs, time.Now().Add(5*time.Second)
				}))
				require.ErrorIs(t, err, matchmaker.ErrDeadline)
				require.Contains(t, err.Error(), c.says)
			})
		})
	}
}

// A node that will not have the job is no reason to wait for others: its refusal says
// more.
func TestARefusalIsNotWaitedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newFakeMesh([]mesh.Peer{{Connected: true, RTT: time.Millisecond, Profile: mesh.Profile{
			Peer: testkit.NamedPeer("only"), CreditCost: 1, FreeSlots: 1, Expires: time.Now().Add(time.Hour), Sequence: 1,
		}}})
		c.answers = map[identity.PeerID]func(context.Context, mesh.JobCall) (mesh.JobOutcome, error){
			testkit.NamedPeer("only"): func(context.Context, mesh.JobCall) (mesh.JobOutcome, error) {
				return mesh.JobOutcome{Code: mesh.JobRejected, Reason: "capsule_denied"}, nil
			},
		}
		k := startOn(t, c, func(cfg *Config) { cfg.Slots = -1 })
		out, err := k.Dispatch(t.Context(), submission("x", nil))
		var said *matchmaker.JobError
		require.ErrorAs(t, err, &said)
		require.Equal(t, "capsule_denied", said.Reason)
		require.Zero(t, out.Total)
	})
}
