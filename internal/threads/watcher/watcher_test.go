package watcher

import (
	"context"
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/threads/mailbox"
)

func runs(m []Mining) (out []bool) {
	for _, x := range m {
		out = append(out, x.Run)
	}
	return out
}

func TestMiningFollowsUserAndBattery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newListener()
		w := serve(t, Config{Listener: l, IdleAfter: 30 * time.Second})
		synctest.Wait()
		require.Equal(t, []bool{true}, runs(l.get().minings), "the state at the start")
		require.NoError(t, w.Offer(Activity{}))
		synctest.Wait()
		require.Equal(t, []bool{true, false}, runs(l.get().minings))
		pass(20 * time.Second)
		require.NoError(t, w.Offer(Activity{}))
		pass(29 * time.Second)
		require.Len(t, l.get().minings, 2, "still active")
		pass(2 * time.Second)
		require.Equal(t, []bool{true, false, true}, runs(l.get().minings))
		require.NoError(t, w.Offer(Battery{Level: 0.2}))
		synctest.Wait()
		require.Len(t, l.get().minings, 3, "0.2 is not below 0.2")
		require.NoError(t, w.Offer(Battery{Level: 0.19, Charging: true}))
		synctest.Wait()
		require.Equal(t, []bool{true, false, true, false}, runs(l.get().minings))
		require.Equal(t, "battery below 0.2", l.get().minings[3].Reason)
		require.NoError(t, w.Offer(Activity{}))
		require.NoError(t, w.Offer(Battery{Level: 0.5}))
		synctest.Wait()
		require.Len(t, l.get().minings, 4, "now the user is the reason")
		pass(time.Minute)
		require.Equal(t, []bool{true, false, true, false, true}, runs(l.get().minings))
	})
}

func TestCapsuleEdges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newListener()
		w := serve(t, Config{Listener: l})
		beat := func(congested bool) {
			require.NoError(t, w.Offer(Heartbeat{capsule.Heartbeat{CapsuleID: "c", Congested: congested, Status: capsule.Healthy}}))
		}
		for range 10 {
			beat(false)
			synctest.Wait()
		}
		require.Equal(t, 1, l.get().capsules, "only the first of the same is news")
		beat(true)
		beat(false) // merged with the one before, which must not vanish
		synctest.Wait()
		require.Equal(t, 3, l.get().capsules)
		require.EqualValues(t, 1, l.get().jams["c"])
		require.False(t, l.get().beats["c"].Congested)
	})
}

func TestBadSignals(t *testing.T) {
	w := New(Config{Listener: newListener(), Keys: 2})
	for _, s := range []Signal{
		Battery{Level: math.NaN()}, Battery{Level: -0.1}, Battery{Level: 1.1}, Battery{Level: math.Inf(1)},
		Heartbeat{}, Ended{},
	} {
		require.ErrorIs(t, w.Offer(s), ErrSignal, "%#v", s)
	}
	require.Zero(t, w.Stats().Put)
	for i := range 3 {
		err := w.Offer(Ended{CapsuleID: fmt.Sprint(i)})
		require.Equal(t, i == 2, err != nil)
		if err != nil {
			require.ErrorIs(t, err, mailbox.ErrFull)
		}
	}
}

func TestStateSurvivesARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newListener()
		w := New(Config{Listener: l})
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			require.NoError(t, w.Offer(Battery{Level: 0.1}))
			require.ErrorIs(t, w.Serve(ctx), context.DeadlineExceeded)
			cancel()
		}
		require.Equal(t, []bool{false}, runs(l.get().minings))
	})
}

// Of activities that wait together the last one counts, in whatever order they come;
// one that is said to lie ahead counts as now.
func TestActivitiesMerge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newListener()
		w := New(Config{Listener: l, IdleAfter: 30 * time.Second})
		ago := func(d time.Duration) Activity { return Activity{At: time.Now().Add(-d)} }
		for _, s := range []Signal{ago(20 * time.Second), ago(5 * time.Second), ago(25 * time.Second)} {
			require.NoError(t, w.Offer(s))
		}
		ctx, cancel := context.WithCancel(t.Context())
		served := make(chan struct{})
		go func() { defer close(served); _ = w.Serve(ctx) }()
		pass(24 * time.Second)
		require.Equal(t, []bool{false}, runs(l.get().minings))
		pass(2 * time.Second)
		require.Equal(t, []bool{false, true}, runs(l.get().minings))
		require.NoError(t, w.Offer(ago(-time.Hour)))
		pass(31 * time.Second)
		require.Equal(t, []bool{false, true, false, true}, runs(l.get().minings))
		cancel()
		<-served
	})
}

// Charging is part of what is told of the host.
func TestHostIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newListener()
		w := serve(t, Config{Listener: l})
		for _, s := range []Signal{Battery{0.5, false}, Battery{0.5, true}, Battery{0.5, true}, Visibility{false}} {
			require.NoError(t, w.Offer(s))
			synctest.Wait()
		}
		now := time.Now()
		require.Equal(t, []Host{
			{Visible: true, Battery: 0.5, At: now}, {Visible: true, Battery: 0.5, Charging: true, At: now},
			{Battery: 0.5, Charging: true, At: now},
		}, l.get().hosts)
	})
}

// pass lets d go by, and what is due by then happen.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
