package watcher

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
)

// stuckListener does not come back from its first call until it is released.
type stuckListener struct {
	*listener
	once            sync.Once
	called, release chan struct{}
}

func (l *stuckListener) Mining(m Mining) {
	l.once.Do(func() {
		close(l.called)
		<-l.release
	})
	l.listener.Mining(m)
}

// The same against the wall clock: 100,000 signals while the listener is stuck in its
// first call. Had a sender to wait for it, this would not end; afterwards every end
// and every jam has been told.
func TestOffersDoNotWaitForTheListener(t *testing.T) {
	const events, capsules = 100_000, 50
	l := &stuckListener{listener: newListener(), called: make(chan struct{}), release: make(chan struct{})}
	w := serve(t, Config{Listener: l})
	<-l.called
	var ends, jams uint64
	var congested [capsules]bool
	for i := range events {
		c := i % capsules
		if i%1009 == 1008 {
			require.NoError(t, w.Offer(Ended{CapsuleID: fmt.Sprint(c)}))
			ends++
			congested[c] = false
			continue
		}
		now := i/capsules%3 == 0
		if now && !congested[c] {
			jams++
		}
		congested[c] = now
		require.NoError(t, w.Offer(Heartbeat{capsule.Heartbeat{CapsuleID: fmt.Sprint(c), Congested: now}}))
	}
	close(l.release)
	told := func() (ends, jams uint64) {
		l.mu.Lock()
		defer l.mu.Unlock()
		for i := range capsules {
			ends += l.ends[fmt.Sprint(i)]
			jams += l.jams[fmt.Sprint(i)]
		}
		return ends, jams
	}
	require.Eventually(t, func() bool { e, j := told(); return e == ends && j == jams }, time.Minute, time.Millisecond)
	st := w.Stats()
	require.EqualValues(t, events, st.Put)
	require.Zero(t, st.Refused)
}
