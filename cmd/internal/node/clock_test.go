//go:build !js

package node

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/clock/clocktest"
	"inos/internal/credit"
	"inos/internal/kernel"
	"inos/internal/mesh"
	"inos/internal/store"
	"inos/internal/submit"
	"inos/internal/testkit/capsules"
)

var wrongClocks = []time.Duration{20 * time.Second, -20 * time.Second, 100 * time.Second, -100 * time.Second, time.Hour, -time.Hour,
	48 * time.Hour, -48 * time.Hour}

// pay has a job with a deadline of 8 s done by another node, paid by a voucher, and looks
// at both books.
func pay(t *testing.T, from, to *peer, cid capsule.CID, now func() time.Time) {
	t.Helper()
	at := now()
	sub, err := submit.New(submit.Order{
		Capsule: cid, Method: "echo", Input: []byte("in"), Deadline: at.Add(8 * time.Second),
		CreditLedgerID: string(from.Signer.Ledger()), Module: "test", Device: from.mesh.Self(),
	}, at)
	require.NoError(t, err)
	out, err := from.Kernel.Dispatch(t.Context(), sub)
	require.NoError(t, err)
	require.Equal(t, to.mesh.Self(), out.Node)
	require.Equal(t, "in", string(out.Output))
	require.NotEmpty(t, out.Receipt)
	require.EqualValues(t, owes(t, from, from.Signer.Ledger()), owes(t, to, from.Signer.Ledger()), "both books agree")
	require.Empty(t, from.Ledger.Holds())
	require.Empty(t, to.Ledger.Holds())
	for _, s := range from.Kernel.Trace(sub.Job.ID) { // the worker's spans lie within the job, in this node's time
		require.Less(t, at.Sub(s.Start).Abs(), 10*time.Second, s.Name)
	}
}

// toldOf waits for the event that says how far a node's clock is ahead.
func toldOf(t *testing.T, events <-chan kernel.Event, ahead time.Duration) kernel.ClockOffset {
	t.Helper()
	late := time.After(time.Minute)
	for {
		select {
		case e := <-events:
			if c, ok := e.(kernel.ClockOffset); ok && (c.Clocks.Ahead-ahead).Abs() < time.Second {
				return c
			}
		case <-late:
			require.Fail(t, "nobody was told", "ahead by %s", ahead)
		}
	}
}

// One machine's clock is wrong, the payer's or the worker's, at the start, and set to be
// wrong otherwise while it runs: jobs with deadlines are done and paid for, in both
// directions of trust, and the machine's owner is told.
func TestPaidJobsBetweenClocksThatDiffer(t *testing.T) {
	for i, off := range wrongClocks {
		for _, side := range []string{"payer", "worker"} {
			t.Run(side+" "+off.String(), func(t *testing.T) {
				t.Parallel()
				off := off // it changes
				wall := clocktest.New(off)
				wrong := func(c *Config) { c.Now = wall.Now }
				seed := byte(60 + 4*i)
				var home, worker, hurt *peer
				now := time.Now
				if side == "payer" {
					home = start(t, seed, func(c *Config) { c.Slots = -1; wrong(c) })
					worker = start(t, seed+1, nil)
					hurt, now = home, wall.Now
				} else {
					home = start(t, seed+2, func(c *Config) { c.Slots = -1 })
					worker = start(t, seed+3, wrong)
					hurt = worker
				}
				cid, err := home.Library.Publish("fault", capsules.Built(t, "fault"))
				require.NoError(t, err)
				events, cancel := hurt.Kernel.Subscribe(4096)
				defer cancel()
				seen, stop := home.Kernel.Subscribe(4096)
				defer stop()
				require.NoError(t, home.Kernel.Join(t.Context(), home.mesh, worker.mesh.Addrs()))
				pay(t, home, worker, cid, now)

				far := func(off time.Duration) {
					st, err := hurt.Kernel.Status(t.Context())
					require.NoError(t, err)
					require.InDelta(t, off.Seconds(), st.Clocks.Ahead.Seconds(), 1)
					require.Equal(t, off.Abs() > time.Minute, st.Clocks.Wrong())
				}
				if off.Abs() > time.Minute {
					e := toldOf(t, events, off)
					require.True(t, e.Clocks.Wrong())
					require.Equal(t, 1, e.Clocks.Apart)
					far(off)
				}
				// The clock is set while a job runs, and more often.
				for _, jump := range []time.Duration{-off, 0} {
					wall.Set(jump)
					pay(t, home, worker, cid, now)
					if (jump - off).Abs() > 2*time.Minute {
						e := toldOf(t, events, jump)
						require.Equal(t, jump.Abs() > time.Minute, e.Clocks.Wrong())
						far(jump)
					}
					pay(t, home, worker, cid, now)
					if off.Abs() == 48*time.Hour { // for longer than a profile lives
						for heard := 0; heard < 4; {
							switch e := (<-seen).(type) {
							case kernel.NodeHeard:
								heard++
							case kernel.NodeGone:
								t.Errorf("%s has gone", e.Node)
							}
						}
					}
					off = jump
				}
			})
		}
	}
}

// A worker whose clock is a day ahead, or in the year 2100, is paid, and is heard and paid
// at once after a restart with a clock that is right, though it has forgotten vouchers that
// were used before.
func TestPaidAfterTheClockIsPutRight(t *testing.T) {
	for i, off := range []time.Duration{24 * time.Hour, 74 * 365 * 24 * time.Hour} {
		t.Run(off.String(), func(t *testing.T) {
			seed := byte(120 + 2*i)
			home := start(t, seed, func(c *Config) { c.Slots = -1 })
			cid, err := home.Library.Publish("fault", capsules.Built(t, "fault"))
			require.NoError(t, err)
			require.NoError(t, home.Kernel.Join(t.Context(), home.mesh, nil))
			log := &credit.MemoryLog{}
			dir, err := store.OpenDir(t.TempDir())
			require.NoError(t, err)
			keep, err := store.OpenKV(dir, "kept")
			require.NoError(t, err)
			last := uint64(0)
			for _, ahead := range []time.Duration{off, off + 10*time.Minute, 0} {
				t.Run("ahead by "+ahead.String(), func(t *testing.T) { // ends with the node
					worker := start(t, seed+1, func(c *Config) { c.Now, c.Log, c.Keep = clocktest.New(ahead).Now, log, keep })
					require.NoError(t, worker.Kernel.Join(t.Context(), worker.mesh, home.mesh.Addrs()))
					for range 3 {
						pay(t, home, worker, cid, time.Now)
					}
					require.Greater(t, worker.mesh.Sequence(), last)
					last = worker.mesh.Sequence()
				})
			}
		})
	}
}

// A machine goes to sleep in the middle of a job and wakes ten minutes later, with its
// connection as it was: its monotonic clock has stood still and the other has not. Or its
// clock is set back an hour. The job has the time that it had, and is paid.
func TestClockMovesDuringAJob(t *testing.T) {
	for i, c := range []struct {
		side string
		move time.Duration
	}{{"payer", 10 * time.Minute}, {"worker", 10 * time.Minute}, {"payer", -time.Hour}, {"worker", -time.Hour}} {
		t.Run(c.side+" "+c.move.String(), func(t *testing.T) {
			t.Parallel()
			wall := clocktest.New(0)
			as := func(here string) func(*Config) {
				return func(cfg *Config) {
					if here == c.side {
						cfg.Now = wall.Now
					}
					if here == "payer" {
						cfg.Slots = -1
					}
				}
			}
			home, worker := start(t, byte(130+2*i), as("payer")), start(t, byte(131+2*i), as("worker"))
			cid, err := home.Library.Publish("fault", capsules.Built(t, "fault"))
			require.NoError(t, err)
			require.NoError(t, home.Kernel.Join(t.Context(), home.mesh, worker.mesh.Addrs()))
			at := home.now()
			sub, err := submit.New(submit.Order{
				Capsule: cid, Method: "count", Args: []string{"5000000"}, Deadline: at.Add(20 * time.Second),
				CreditLedgerID: string(home.Signer.Ledger()), Module: "test", Device: home.mesh.Self(),
			}, at)
			require.NoError(t, err)
			moved := make(chan time.Time, 1)
			move := sync.OnceFunc(func() {
				wall.Set(c.move)
				moved <- time.Now()
			})
			sub.OnProgress = func(p mesh.Progress) {
				if p.Done > 0 {
					move()
				}
			}
			out, err := home.Kernel.Dispatch(t.Context(), sub)
			require.NoError(t, err)
			require.Equal(t, "5000000", string(out.Output))
			require.Less(t, time.Since(<-moved), out.Run, "in the middle")
			require.NotEmpty(t, out.Receipt)
			require.Less(t, out.Cost, uint64(20*price), "for what it ran, and not for what the clock says")
			require.EqualValues(t, owes(t, home, home.Signer.Ledger()), owes(t, worker, home.Signer.Ledger()), "both books agree")
			require.EqualValues(t, out.Cost, owes(t, home, home.Signer.Ledger()))
			pay(t, home, worker, cid, home.now)
		})
	}
}
