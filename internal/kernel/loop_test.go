package kernel

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/mesh"
	"inos/internal/scheduler"
	"inos/internal/testkit"
)

// A message that panics is no success, whoever asked; the loop is started again, and
// the kernel goes on.
func TestLoopSurvivesAPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := startOn(t, newFakeMesh(nil), nil)
		events, cancel := k.Subscribe(64)
		defer cancel()
		for range 20 { // often enough for the supervisor to back off
			require.ErrorIs(t, k.loop.ask(t.Context(), func(*state) { panic("as asked") }), ErrPanicked)
			require.NoError(t, k.loop.ask(t.Context(), func(*state) {}))
		}
		_, err := k.Status(t.Context())
		require.NoError(t, err)
		for e := range events {
			if f, ok := e.(ServiceFailed); ok {
				require.Contains(t, f.Message, "as asked")
				break
			}
		}
	})
}

// panickingScorer is a Scorer that panics when told to.
type panickingScorer struct {
	scheduler.Formula
	broken *bool // read on the loop
}

func (b panickingScorer) Score(n scheduler.Node) float64 {
	if *b.broken {
		panic("a scorer's fault")
	}
	return b.Formula.Score(n)
}

// Whoever has the loop do something hears that it panicked, and does not go on with
// what it did not get.
func TestNobodyGoesOnAfterAPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		scorer, entry := false, false
		home := w.start("home", func(c *Config) {
			c.Slots = 4
			c.Scorer = panickingScorer{broken: &scorer}
			c.Emit = func(e Event) {
				if _, is := e.(JobAdmitted); is && entry {
					panic("a subscriber's fault")
				}
			}
		})
		require.NoError(t, home.blobs.Accept(testBlob()))
		serve := func() mesh.JobOutcome {
			sub := submission("x", nil)
			return home.HandleJob(t.Context(), testkit.NamedPeer("other"), mesh.JobCall{Envelope: sub.Envelope, Job: sub.Job, Input: sub.Input}, nil, func(mesh.Progress) {})
		}
		for _, broken := range []*bool{&scorer, &entry} {
			set := func(v bool) {
				require.NoError(t, home.loop.ask(t.Context(), func(*state) { *broken = v }))
			}
			runs := home.capsules.runs.Load()
			set(true)
			out, err := home.Dispatch(t.Context(), submission("x", nil))
			require.ErrorIs(t, err, ErrPanicked)
			require.Empty(t, out.Node)
			require.Empty(t, out.Attempts, "no node was chosen")
			served := serve()
			require.Equal(t, mesh.JobInternal, served.Code)
			require.Equal(t, ErrPanicked.Error(), served.Message)
			require.Equal(t, runs, home.capsules.runs.Load(), "nothing ran")
			set(false)
			_, err = home.Dispatch(t.Context(), submission("x", nil))
			require.NoError(t, err)
			require.Equal(t, mesh.JobOK, serve().Code)
		}
		time.Sleep(time.Minute)
	})
}
