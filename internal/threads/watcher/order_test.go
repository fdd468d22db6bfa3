package watcher

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"inos/internal/capsule"
)

// account is what is known of a capsule: from the signals sent, or from what the
// watcher told. The two must be the same, whatever was merged on the way.
type account struct {
	jams, ends uint64
	alive      bool
	last       capsule.Heartbeat // of its life; without what is no news
}

func (a *account) beat(h capsule.Heartbeat) {
	a.alive = true
	a.last = capsule.Heartbeat{Status: h.Status, Congested: h.Congested, NeedsMoreMem: h.NeedsMoreMem, MemoryEpoch: h.MemoryEpoch}
}

func (a *account) end() { a.alive, a.last = false, capsule.Heartbeat{} }

// accounts are by capsule.
type accounts map[string]*account

func (as accounts) of(id string) *account {
	if as[id] == nil {
		as[id] = &account{}
	}
	return as[id]
}

// sent counts a signal.
func (as accounts) sent(s Signal) {
	switch s := s.(type) {
	case Heartbeat:
		a := as.of(s.CapsuleID)
		if s.Congested && !a.last.Congested {
			a.jams++
		}
		a.beat(s.Heartbeat)
	case Ended:
		a := as.of(s.CapsuleID)
		a.ends++
		a.end()
	}
}

// told counts what the watcher said.
func (as accounts) told(c Capsule) {
	a := as.of(c.ID)
	a.jams += c.Jams
	a.ends += c.Ends
	if c.Ended {
		a.end()
		return
	}
	a.beat(c.Last)
	a.last.Congested = c.Congested
}

// scribe is a Listener that keeps accounts.
type scribe struct {
	capsules accounts
	news     int
}

func (*scribe) Mining(Mining) {}
func (*scribe) Host(Host)     {}

func (s *scribe) Capsule(c Capsule) {
	s.capsules.told(c)
	s.news++
}

// Whatever capsules report, and whenever the watcher comes to look, what it tells
// adds up, in an order that ends where the capsules are; the dead are not kept.
func TestEveryOrderOfSignals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := &scribe{capsules: accounts{}}
		w := New(Config{Listener: l})
		sent := accounts{}
		look := func() {
			for _, letter := range w.mail.Take(nil) {
				w.look(letter.Value)
			}
		}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			id := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "id")
			switch rapid.IntRange(0, 6).Draw(t, "step") {
			case 0:
				look()
			case 1, 2:
				s := Ended{CapsuleID: id}
				sent.sent(s)
				require.NoError(t, w.Offer(s))
			default:
				s := Heartbeat{capsule.Heartbeat{
					CapsuleID: id, Congested: rapid.Bool().Draw(t, "congested"), Status: capsule.Status(rapid.IntRange(0, 1).Draw(t, "status")),
					NeedsMoreMem: rapid.Bool().Draw(t, "memory"), MemoryEpoch: uint32(rapid.IntRange(0, 1).Draw(t, "epoch")),
				}}
				sent.sent(s)
				require.NoError(t, w.Offer(s))
			}
		}
		look()
		require.Equal(t, sent, l.capsules)
		for id, a := range sent {
			_, kept := w.capsules[id]
			require.Equal(t, a.alive, kept, "%s", id)
		}
		before := l.news
		for id, a := range sent {
			if a.alive { // the same again is no news
				again := a.last
				again.CapsuleID = id
				require.NoError(t, w.Offer(Heartbeat{again}))
			}
		}
		look()
		require.Equal(t, before, l.news)
	})
}
