//go:build !js

package node

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/mesh/p2p"
	"inos/internal/submit"
	"inos/internal/testkit/capsules"
	"inos/test/lossy"
)

// apart is a node without slots and a worker with eight, with a path between them: nothing
// but that leads to the worker.
func apart(t testing.TB, path lossy.Path, silence time.Duration) (home, worker *peer, hash capsule.CID) {
	r, err := lossy.Listen("127.0.0.1:0", path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	t.Logf("seed %d", path.Seed)
	patient := func(c *p2p.Config) { c.StallTimeout = silence }
	worker = startWith(t, 202, "/ip4/127.0.0.1/udp/0/quic-v1/webtransport", func(c *p2p.Config) {
		patient(c)
		c.Announce = r.Announce
	}, func(c *Config) { c.Slots, c.StrangerLine, c.PublishEvery, c.PingEvery = 8, 100_000_000, 0, 0 })
	home = startWith(t, 201, "/ip4/127.0.0.1/udp/0/quic-v1", patient, func(c *Config) {
		c.Slots, c.Allowance, c.PublishEvery, c.PingEvery = -1, 100_000_000, 0, 0
	})
	hash, err = home.Library.Publish("hash", capsules.Built(t, "hash"))
	require.NoError(t, err)
	return home, worker, hash
}

// ordered has jobs of that many bytes done within limit, its way to the worker included, and
// returns when each was, or how it failed.
func ordered(t testing.TB, home, worker *peer, hash capsule.CID, jobs, size int, limit time.Duration) (took []time.Duration, errs []error) {
	began := time.Now()
	ctx, cancel := context.WithDeadline(t.Context(), began.Add(limit))
	defer cancel()
	took, errs = make([]time.Duration, jobs), make([]error, jobs)
	var all sync.WaitGroup
	for i := range jobs {
		all.Go(func() {
			sub, err := submit.New(submit.Order{
				Capsule: hash, Input: bytes.Repeat([]byte{byte(i)}, size), Deadline: began.Add(limit),
				CreditLedgerID: string(home.Signer.Ledger()), Module: "test", Device: home.mesh.Self(),
			}, time.Now())
			if err == nil {
				_, err = home.Kernel.Dispatch(ctx, sub)
			}
			took[i], errs[i] = time.Since(began), err
		})
	}
	// The jobs wait for it.
	joined := home.Kernel.Join(ctx, home.mesh, worker.mesh.Addrs())
	all.Wait()
	require.NoError(t, joined)
	return took, errs
}

// Every fifth datagram is lost, in either direction, and the others overtake each other: all
// of 24 jobs are done, though what they need on their way takes longer than a silence.
func TestJobsOverALossyPath(t *testing.T) {
	home, worker, hash := apart(t, lossy.Path{Seed: 21, Loss: 0.2, Least: 50 * time.Millisecond, Most: 150 * time.Millisecond}, 5*time.Second)
	_, errs := ordered(t, home, worker, hash, 24, 16<<10, 2*time.Minute)
	for i, err := range errs {
		require.NoError(t, err, "job %d", i)
	}
}

// BenchmarkLossyPath has 24 jobs done over a path with 100 to 300 ms in either direction that
// loses every fifth datagram, from the first dial on, and says how many were within 40 s and
// within 120 s.
func BenchmarkLossyPath(b *testing.B) {
	for _, size := range []int{5, 64 << 10, 1 << 20} {
		b.Run(fmt.Sprint(size, " bytes"), func(b *testing.B) {
			within40, within120 := 0, 0
			for n := range b.N {
				home, worker, hash := apart(b, lossy.Path{Seed: uint64(n), Loss: 0.2, Least: 100 * time.Millisecond, Most: 300 * time.Millisecond}, 0)
				took, errs := ordered(b, home, worker, hash, 24, size, 2*time.Minute)
				for i, d := range took {
					if errs[i] == nil && d <= 40*time.Second {
						within40++
					}
					if errs[i] == nil {
						within120++
					}
				}
			}
			b.ReportMetric(float64(within40)/float64(b.N), "done-in-40s")
			b.ReportMetric(float64(within120)/float64(b.N), "done-in-120s")
		})
	}
}
