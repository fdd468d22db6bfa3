package watcher

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
)

// listener counts what it hears; every call takes as long as slow says.
type listener struct {
	slow time.Duration
	mu   sync.Mutex
	heard
}

type heard struct {
	minings  []Mining
	hosts    []Host
	ends     map[string]uint64
	beats    map[string]capsule.Heartbeat
	jams     map[string]uint64
	order    map[string]bool // whether what was heard last is a life
	capsules int
}

func newListener() *listener {
	return &listener{heard: heard{ends: map[string]uint64{}, beats: map[string]capsule.Heartbeat{}, jams: map[string]uint64{}, order: map[string]bool{}}}
}

// get is what has been heard; its maps are the listener's own.
func (l *listener) get() heard {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.heard
}

func (l *listener) hear(take func()) {
	l.mu.Lock()
	take()
	l.mu.Unlock()
	time.Sleep(l.slow)
}

func (l *listener) Mining(m Mining) { l.hear(func() { l.minings = append(l.minings, m) }) }
func (l *listener) Host(h Host)     { l.hear(func() { l.hosts = append(l.hosts, h) }) }

func (l *listener) Capsule(c Capsule) {
	l.hear(func() {
		l.capsules++
		l.jams[c.ID] += c.Jams
		l.order[c.ID] = !c.Ended
		if c.Ended {
			l.ends[c.ID] += c.Ends
			return
		}
		l.beats[c.ID] = c.Last
	})
}

func serve(t *testing.T, c Config) *Watcher {
	w := New(c)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = w.Serve(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return w
}

// 10,000 events a second for 10 s, from four senders, into a listener that takes
// 1 ms for each change: no sender ever waits, every event is accounted for, and
// nothing that matters is lost: the last state of everything, every end of a
// capsule, every jam, and mining's state.
func TestTenThousandEventsASecond(t *testing.T) {
	for seed := range uint64(4) {
		synctest.Test(t, func(t *testing.T) { storm(t, seed) })
	}
}

func storm(t *testing.T, seed uint64) {
	const (
		senders  = 4
		seconds  = 10
		perMilli = 10 // 10,000 a second
		capsules = 50
	)
	l := newListener()
	l.slow = time.Millisecond
	w := serve(t, Config{Listener: l})
	type sent struct {
		count, ends, refused uint64
		endsOf               map[string]uint64
		lastBeat             map[string]capsule.Heartbeat
		jams                 map[string]uint64
		waited               time.Duration
		battery              *Battery
		visible              *Visibility
	}
	results := make(chan sent, senders)
	for sender := range senders {
		go func() {
			rng := rand.New(rand.NewPCG(seed, uint64(sender)))
			s := sent{endsOf: map[string]uint64{}, lastBeat: map[string]capsule.Heartbeat{}, jams: map[string]uint64{}}
			events := seconds * 1000 * perMilli / senders
			for i := range events {
				// Each sender has capsules of its own, so that "the last" is defined.
				id := fmt.Sprintf("capsule-%d-%d", sender, rng.IntN(capsules))
				var sig Signal
				switch k := rng.IntN(100); {
				case k < 10:
					sig = Activity{}
				case k < 20 && sender == 0:
					b := Battery{Level: float64(rng.IntN(101)) / 100}
					sig, s.battery = b, &b
				case k < 20 && sender == 1:
					v := Visibility{Visible: rng.IntN(2) == 0}
					sig, s.visible = v, &v
				case k < 25:
					sig = Ended{CapsuleID: id, Reason: "test"}
					s.ends++
					s.endsOf[id]++
					delete(s.lastBeat, id)
				default:
					h := capsule.Heartbeat{CapsuleID: id, Congested: rng.IntN(20) == 0, Sequence: uint64(i), Status: capsule.Status(rng.IntN(4)),
						NeedsMoreMem: rng.IntN(50) == 0, MemoryEpoch: uint32(rng.IntN(1000) / 999)}
					sig = Heartbeat{h}
					if h.Congested && !s.lastBeat[id].Congested {
						s.jams[id]++
					}
					s.lastBeat[id] = h
				}
				before := time.Now()
				if err := w.Offer(sig); err != nil {
					s.refused++
				}
				s.waited += time.Since(before)
				s.count++
				if (i+1)%perMilli == 0 {
					time.Sleep(time.Millisecond * senders)
				}
			}
			results <- s
		}()
	}
	var total, ends uint64
	var all []sent
	for range senders {
		s := <-results
		require.Zero(t, s.waited, "a bubble's clock moves only while everybody waits: no Offer did")
		require.Zero(t, s.refused)
		total += s.count
		ends += s.ends
		all = append(all, s)
	}
	pass(5 * time.Second) // the listener catches up
	require.EqualValues(t, seconds*1000*perMilli, total)
	st := w.Stats()
	require.EqualValues(t, total, st.Put)
	require.Equal(t, st.Put, st.Taken+st.Merged, "every event is told or merged into one that is")
	require.Zero(t, st.Waiting)
	require.Zero(t, st.Refused)
	var heard uint64
	for _, n := range l.get().ends {
		heard += n
	}
	require.Equal(t, ends, heard, "every end of a capsule, counted")
	for _, s := range all {
		for id, n := range s.endsOf {
			require.Equal(t, n, l.get().ends[id])
		}
		for id, h := range s.lastBeat {
			got, ok := l.get().beats[id]
			require.True(t, ok)
			require.Equal(t, h.Status, got.Status, "the last status of %s", id)
			require.Equal(t, h.Congested, got.Congested, "the last congestion of %s", id)
			require.Equal(t, h.NeedsMoreMem, got.NeedsMoreMem)
			require.Equal(t, h.MemoryEpoch, got.MemoryEpoch)
		}
		for id, n := range s.jams {
			require.Equal(t, n, l.get().jams[id], "every jam of %s, counted", id)
		}
		for id := range s.endsOf {
			_, alive := s.lastBeat[id]
			require.Equal(t, alive, l.get().order[id], "whether %s lives is what was said last", id)
		}
	}
	host, _ := w.Now()
	require.Equal(t, all[indexOf(all, func(s sent) bool { return s.battery != nil })].battery.Level, host.Battery)
	require.Equal(t, all[indexOf(all, func(s sent) bool { return s.visible != nil })].visible.Visible, host.Visible)
	for i := 1; i < len(l.get().minings); i++ {
		require.NotEqual(t, l.get().minings[i-1].Run, l.get().minings[i].Run, "edges only")
	}
	pass(time.Minute) // the user is idle again
	host, mining := w.Now()
	require.Equal(t, host.Battery >= LowBattery, mining.Run)
	require.Equal(t, mining.Run, l.get().minings[len(l.get().minings)-1].Run)
	t.Logf("seed %d: %d offered, %d told, %d merged; %d ends of capsules heard; %d changes", seed, st.Put, st.Taken, st.Merged, heard, l.get().capsules)
}

func indexOf[T any](s []T, is func(T) bool) int {
	for i, v := range s {
		if is(v) {
			return i
		}
	}
	return -1
}
