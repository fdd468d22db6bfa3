package kernel

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/identity"
	"inos/internal/testkit"
	"inos/internal/trace"
)

func TestTraceCrossesNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		home := w.start("home", func(c *Config) { c.Slots, c.Payments = -1, &countingPayments{} })
		require.NoError(t, home.blobs.Accept(testBlob()))
		there := w.start("there", func(c *Config) { c.Payments = &countingPayments{} })
		w.meet(home, there)
		time.Sleep(time.Second)
		root := trace.Context{}.Child()
		sub := submission("x", func(s *Submission) {
			s.Envelope.Metadata.TraceParent, s.Root = root.String(), "console"
			s.Job.Args = []string{"2s"}
		})
		_, err := home.Dispatch(t.Context(), sub)
		require.NoError(t, err)

		spans := home.Trace(sub.Job.ID)
		by := map[string]trace.Span{} // the last one of each name and node
		ids := map[trace.SpanID]bool{}
		for _, s := range spans {
			require.Equal(t, root.Trace, s.Trace)
			require.Empty(t, s.Code, s.Name)
			by[s.Name+" "+nameOf(s.Node)] = s
			ids[s.ID] = true
		}
		for _, name := range []string{
			"console home", "dispatch home", "admit home", "match home", "choose home", "transfer home", "settle home",
			"serve there", "admit there", "fetch there", "run there", "settle there",
		} {
			require.Contains(t, by, name)
		}
		require.Len(t, spans, 12)
		require.Equal(t, root.Span, by["console home"].ID)
		for _, s := range spans {
			if s.Name != "console" {
				require.True(t, ids[s.Parent], "the parent of %s is here", s.Name)
			}
		}
		require.Equal(t, by["transfer home"].ID, by["serve there"].Parent)
		require.Equal(t, 2*time.Second, by["run there"].Duration)
		require.Len(t, there.Trace(sub.Job.ID), 5, "a node keeps its own")

		refused := submission("x", func(s *Submission) { s.Envelope.Metadata.CreditLedgerID = "" })
		_, err = home.Dispatch(t.Context(), refused)
		require.Error(t, err)
		spans = home.Trace(refused.Job.ID)
		require.Len(t, spans, 2)
		require.ElementsMatch(t, []string{"ledger_missing", "rejected"}, []string{spans[0].Code, spans[1].Code})
	})
}

func nameOf(id identity.PeerID) string {
	for _, name := range []string{"home", "there"} {
		if testkit.NamedPeer(name) == id {
			return name
		}
	}
	return string(id)
}
