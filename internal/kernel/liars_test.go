package kernel

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/testkit"
	"inos/internal/threads/matchmaker"
)

// wrongAnswer is what a node does with a job instead of doing it.
type wrongAnswer func(ctx context.Context, n int, call mesh.JobCall) (mesh.JobOutcome, error, bool)

func says(code mesh.JobCode) wrongAnswer {
	return func(_ context.Context, _ int, call mesh.JobCall) (mesh.JobOutcome, error, bool) {
		return mesh.JobOutcome{JobID: call.Job.ID, Code: code}, nil, true
	}
}

func hangs(ctx context.Context, _ int, _ mesh.JobCall) (mesh.JobOutcome, error, bool) {
	<-ctx.Done()
	return mesh.JobOutcome{}, mesh.ContextError(ctx), true
}

// every other job is done, and so there is a record.
func sometimes(l wrongAnswer) wrongAnswer {
	return func(ctx context.Context, n int, call mesh.JobCall) (mesh.JobOutcome, error, bool) {
		if n%2 == 0 {
			return mesh.JobOutcome{}, nil, false
		}
		return l(ctx, n, call)
	}
}

var wrongAnswers = map[string]wrongAnswer{
	"internal": says(mesh.JobInternal), "crashed": says(mesh.JobCrashed), "rejected": says(mesh.JobRejected), "failed": says(mesh.JobFailed),
	"badCapsule": says(mesh.JobBadCapsule), "hang": hangs, "internal, every other job": sometimes(says(mesh.JobInternal)),
	"rejected, every other job": sometimes(says(mesh.JobRejected)), "hang, every other job": sometimes(hangs),
}

// With up to three tenths of the nodes lying, cheapest and nearest of all, 99 of 100 jobs
// succeed after the first 20, and hardly any money is out with those that hang.
func TestLiarsThatAreCheapestAndNearest(t *testing.T) {
	for name, tell := range wrongAnswers {
		for _, c := range []struct{ nodes, liars, atOnce int }{{4, 1, 1}, {10, 3, 1}, {20, 6, 8}, {20, 6, 40}} {
			t.Run(fmt.Sprintf("%s, %d of %d, %d at once", name, c.liars, c.nodes, c.atOnce), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var peers []mesh.Peer
					index := map[identity.PeerID]int{}
					for i := range c.nodes {
						p := mesh.Peer{Connected: true, RTT: 20 * time.Millisecond, Profile: mesh.Profile{
							Peer: testkit.NamedPeer(fmt.Sprint("peer ", i)), CreditCost: 10, FreeSlots: 4, Expires: time.Now().Add(59 * time.Minute), Sequence: 1}}
						if i < c.liars {
							p.Profile.CreditCost, p.RTT, p.Profile.FreeSlots = 1, time.Millisecond, 1000
						}
						index[p.Profile.Peer] = i
						peers = append(peers, p)
					}
					m := &scriptedMesh{fakeMesh: newFakeMesh(peers)}
					var mu sync.Mutex
					asked := map[identity.PeerID]int{}
					m.script = func(ctx context.Context, at identity.PeerID, call mesh.JobCall, _ func(mesh.Progress)) (mesh.JobOutcome, error, bool) {
						if index[at] >= c.liars {
							time.Sleep(200 * time.Millisecond)
							return mesh.JobOutcome{}, nil, false
						}
						mu.Lock()
						asked[at]++
						n := asked[at]
						mu.Unlock()
						out, err, lied := tell(ctx, n, call)
						out.Node = at
						return out, err, lied
					}
					pay := &countingPayments{}
					k := startOn(t, m, func(cfg *Config) { cfg.Payments = pay })
					over := make(chan struct{})
					defer close(over)
					go func() { // profiles are good for an hour
						for sequence := uint64(2); ; sequence++ {
							select {
							case <-time.After(20 * time.Minute):
							case <-over:
								return
							}
							for _, p := range peers {
								p.Profile.Sequence, p.Profile.Expires = sequence, time.Now().Add(59*time.Minute)
								select {
								case m.events <- mesh.ProfileHeard{Profile: p.Profile}:
								case <-over:
									return
								}
							}
						}
					}()
					began := time.Now()
					const jobs = 400
					var all sync.WaitGroup
					turns := make(chan struct{}, c.atOnce)
					failed := make([]error, jobs)
					most := int64(0)
					for i := range jobs {
						turns <- struct{}{}
						all.Go(func() {
							defer func() { <-turns }()
							_, failed[i] = k.Dispatch(t.Context(), submission("x", func(s *Submission) { s.Job.Deadline = time.Now().Add(60 * time.Second) }))
						})
						if c.atOnce == 1 {
							most = max(most, pay.promised.Load()-pay.paid.Load()-pay.withdrawn.Load())
						}
					}
					all.Wait()
					late := 0
					for i, err := range failed {
						if err != nil && i >= max(20, c.atOnce) { // what began at once began before anything was known
							if late++; late < 3 {
								t.Logf("job %d: %v", i, err)
							}
						}
					}
					require.LessOrEqual(t, late, (jobs-20)/100)
					t.Logf("%d of %d failed late; %d promises out at most; %v a job", late, jobs-20, most, time.Since(began)/jobs)
				})
			})
		}
	}
}

// partialMesh is a fakeMesh of which only the first peers are met at once.
type partialMesh struct {
	*fakeMesh
	first int
}

func (m partialMesh) Peers() []mesh.Peer { return m.peers[:m.first] }

// A node that is new to the mesh knows the liars first: its jobs keep their last attempt for
// a node that has not failed them, for as long as it takes to hear of one.
func TestTheLastAttemptWaitsForANodeThatHasNotFailed(t *testing.T) {
	const hearingWait = 10 * time.Second // for as long it waits
	for _, heardAfter := range []time.Duration{time.Second, hearingWait - time.Second, 10 * hearingWait} {
		t.Run(heardAfter.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				peer := func(name string, cost uint64) mesh.Peer {
					return mesh.Peer{Connected: true, RTT: time.Millisecond, Profile: mesh.Profile{
						Peer: testkit.NamedPeer(name), CreditCost: cost, FreeSlots: 4, Expires: time.Now().Add(time.Hour), Sequence: 1}}
				}
				m := newFakeMesh([]mesh.Peer{peer("liar", 1), peer("other liar", 1), peer("honest", 10)})
				lying := func(context.Context, mesh.JobCall) (mesh.JobOutcome, error) {
					return mesh.JobOutcome{Code: mesh.JobInternal}, nil
				}
				m.answers = map[identity.PeerID]func(context.Context, mesh.JobCall) (mesh.JobOutcome, error){testkit.NamedPeer("liar"): lying, testkit.NamedPeer("other liar"): lying}
				honest := m.peers[2]
				k := startOn(t, partialMesh{m, 2}, nil)
				over := make(chan struct{})
				defer close(over)
				go func() {
					select {
					case <-time.After(heardAfter):
					case <-over:
						return
					}
					m.events <- mesh.PeerConnected{Peer: honest.Profile.Peer}
					m.events <- mesh.ProfileHeard{Profile: honest.Profile}
				}()
				began := time.Now()
				out, err := k.Dispatch(t.Context(), submission("x", nil))
				waited := time.Since(began)
				if heardAfter > hearingWait {
					require.ErrorIs(t, err, matchmaker.ErrAttempts)
					require.Less(t, waited, hearingWait+5*time.Second, "it is not kept for ever")
					return
				}
				require.NoError(t, err)
				require.Equal(t, honest.Profile.Peer, out.Node)
				require.Len(t, out.Attempts, 3)
			})
		})
	}
}
