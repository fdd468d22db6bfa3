package kernel

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/testkit"
)

// promiseCounter is a Payments that knows how many promises a job had out at a time: such as were
// neither paid nor withdrawn nor given up; and how many of it are out or were given up.
type promiseCounter struct {
	countingPayments
	mu             sync.Mutex
	out, most, all map[string]int
}

func newPromiseCounter() *promiseCounter {
	return &promiseCounter{out: make(map[string]int), most: make(map[string]int), all: make(map[string]int)}
}

func (w *promiseCounter) note(job governance.Admitted, out, held int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	id := job.Job().ID
	w.out[id] += out
	w.all[id] += held
	w.most[id] = max(w.most[id], w.out[id])
}

func (w *promiseCounter) Promise(job governance.Admitted, to identity.PeerID, t Terms, now time.Time) ([]byte, error) {
	w.note(job, 1, 1)
	return w.countingPayments.Promise(job, to, t, now)
}

func (w *promiseCounter) Pay(job governance.Admitted, out mesh.JobOutcome, took time.Duration, now time.Time) error {
	w.note(job, -1, -1)
	return w.countingPayments.Pay(job, out, took, now)
}

func (w *promiseCounter) Withdraw(job governance.Admitted, from identity.PeerID, now time.Time) {
	w.note(job, -1, -1)
	w.countingPayments.Withdraw(job, from, now)
}

func (w *promiseCounter) GiveUp(job governance.Admitted, from identity.PeerID) {
	w.note(job, -1, 0)
	w.countingPayments.GiveUp(job, from)
}

// A job has the money of one attempt out at a time, whatever its nodes do with it: those that
// were given up, whose fate is unknown, are never more than its attempts. It has more out when
// it has asked for more: two of a hedged one, and as many as it has replicas.
func TestAJobHasOneAttemptsMoneyOutAtATime(t *testing.T) {
	for name, c := range map[string]struct {
		hedge    bool
		replicas uint8
		most     int
	}{"as it is": {false, 1, 1}, "hedged": {true, 1, 2}, "three replicas": {false, 3, 3}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var peers []mesh.Peer
				behave := make(map[identity.PeerID]wrongAnswer)
				liars := maps.Clone(wrongAnswers)
				for i := range 8 {
					liars[fmt.Sprint("hang ", i)] = hangs
				}
				for what, l := range liars {
					id := testkit.NamedPeer(what)
					behave[id] = sometimes(l)
					peers = append(peers, mesh.Peer{Connected: true, RTT: time.Millisecond, Profile: mesh.Profile{
						Peer: id, CreditCost: 5, FreeSlots: 8, Expires: time.Now().Add(time.Hour), Sequence: 1}})
				}
				for i := range 6 {
					peers = append(peers, mesh.Peer{Connected: true, RTT: 20 * time.Millisecond, Profile: mesh.Profile{
						Peer: testkit.NamedPeer(fmt.Sprint("honest ", i)), CreditCost: 10, FreeSlots: 4, Expires: time.Now().Add(time.Hour), Sequence: 1}})
				}
				m := &scriptedMesh{fakeMesh: newFakeMesh(peers)}
				var mu sync.Mutex
				asked := make(map[identity.PeerID]int)
				m.script = func(ctx context.Context, at identity.PeerID, call mesh.JobCall, _ func(mesh.Progress)) (mesh.JobOutcome, error, bool) {
					time.Sleep(50 * time.Millisecond)
					mu.Lock()
					asked[at]++
					n := asked[at]
					mu.Unlock()
					if l := behave[at]; l != nil {
						out, err, lied := l(ctx, n, call)
						out.Node = at
						return out, err, lied
					}
					if n%10 == 0 { // late enough for a second copy
						time.Sleep(5 * time.Second)
					}
					return mesh.JobOutcome{}, nil, false
				}
				pay := newPromiseCounter()
				k := startOn(t, m, func(cfg *Config) { cfg.Payments, cfg.Hedge = pay, c.hedge })
				var all sync.WaitGroup
				turns := make(chan struct{}, 12)
				for range 300 {
					turns <- struct{}{}
					all.Go(func() {
						defer func() { <-turns }()
						_, _ = k.Dispatch(t.Context(), submission("x", func(s *Submission) { s.Job.Replicas = c.replicas }))
					})
				}
				all.Wait()
				time.Sleep(2 * time.Minute) // past every deadline
				synctest.Wait()
				most, held := 0, 0
				for id := range pay.most {
					most, held = max(most, pay.most[id]), max(held, pay.all[id])
					require.Zero(t, pay.out[id], "each is paid, withdrawn or given up in the end")
				}
				require.Equal(t, c.most, most)
				require.Positive(t, pay.givenUp.Load())
				require.LessOrEqual(t, held, 3)
				t.Logf("%d promises, %d paid, %d withdrawn, %d given up, %d of one job at most", pay.promised.Load(), pay.paid.Load(),
					pay.withdrawn.Load(), pay.givenUp.Load(), held)
			})
		})
	}
}
