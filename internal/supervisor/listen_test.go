package supervisor

import (
	"bytes"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/testkit/capsules"
)

// take reads until n bytes have come, and checks that they are the KiBs that "emit"
// sends from frame on.
func take(t *testing.T, l *Listener, frame, n int) {
	t.Helper()
	got := make([]byte, n)
	_, err := io.ReadFull(l, got)
	require.NoError(t, err)
	for i := range n / 1024 {
		require.Equal(t, bytes.Repeat([]byte{byte(frame + i)}, 1024), got[i*1024:][:1024], frame+i)
	}
}

func TestListenersHearTheSame(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, w *world) {
		id := w.spawn(good)
		_, err := w.call(id, "emit", "3")
		require.NoError(t, err)
		require.EqualValues(t, 3<<10, w.info(id).Unheard, "nobody listened")
		one, err := w.s.Listen(id)
		require.NoError(t, err)
		two, err := w.s.Listen(id)
		require.NoError(t, err)
		_, err = w.call(id, "emit", "10")
		require.NoError(t, err)
		take(t, one, 0, 10<<10)
		take(t, two, 0, 10<<10)
		require.EqualValues(t, 3<<10, w.info(id).Unheard)

		// One that closes is not waited for; a Read at work ends.
		ended := make(chan error, 1)
		go func() { _, err := two.Read(make([]byte, 1)); ended <- err }()
		synctest.Wait()
		require.NoError(t, two.Close())
		require.NoError(t, two.Close())
		require.ErrorIs(t, <-ended, io.ErrClosedPipe)
		_, err = w.call(id, "emit", "1")
		require.NoError(t, err)
		take(t, one, 0, 1<<10)

		for range listenersAtMost - 1 {
			_, err = w.s.Listen(id)
			require.NoError(t, err)
		}
		_, err = w.s.Listen(id)
		require.ErrorIs(t, err, ErrListeners)
		_, err = w.s.Listen("nobody")
		require.ErrorIs(t, err, ErrNoCapsule)
	})
}

// A listener that does not read holds the capsule back, at a bounded distance and for
// as long as it likes: nothing is lost, and the silence is not the capsule's.
func TestASlowListenerHoldsTheCapsuleBack(t *testing.T) {
	bubble(t, Config{Overdue: KillOverdue}, func(t *testing.T, w *world) {
		const frames = 4 << 10
		id := w.spawn(good)
		l, err := w.s.Listen(id)
		require.NoError(t, err)
		idle, err := w.s.Listen(id)
		require.NoError(t, err)
		ran := make(chan error, 1)
		go func() { _, err := w.call(id, "emit", fmt.Sprint(frames)); ran <- err }()
		time.Sleep(30 * time.Second) // three times what silence is allowed
		require.Empty(t, ran)
		l.outlet.mu.Lock()
		waits := l.waiting.Len()
		l.outlet.mu.Unlock()
		require.GreaterOrEqual(t, waits, listenAhead)
		require.LessOrEqual(t, waits, listenAhead+capsules.RingSize)
		require.Equal(t, "started healthy", w.story(id), "it is not taken for dead")
		require.Equal(t, capsule.Deadline, w.to(id, capsule.Pause).Code, "it cannot answer")
		require.Equal(t, Healthy, w.info(id).State, "and is not killed for that")

		// The slowest sets the pace, until it goes.
		take(t, l, 0, waits)
		time.Sleep(10 * time.Second)
		require.Empty(t, ran)
		require.NoError(t, idle.Close())
		take(t, l, waits/1024, frames<<10-waits)
		require.NoError(t, <-ran)
		time.Sleep(time.Second)
		require.Equal(t, Paused, w.info(id).State, "the command was heard, late")

		w.rt.last().hush <- true
		time.Sleep(time.Minute)
		require.ErrorIs(t, w.info(id).LastError, ErrNoHeartbeat, "from now on its silence is its own")
	})
}

// A stream ends with its instance: after what was emitted before.
func TestAStreamEndsWithItsInstance(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, w *world) {
		listen := func(id string) *Listener {
			l, err := w.s.Listen(id)
			require.NoError(t, err)
			_, err = w.call(id, "emit", "3")
			require.NoError(t, err)
			return l
		}
		rest := func(l *Listener) error {
			take(t, l, 0, 3<<10)
			_, err := l.Read(make([]byte, 1))
			return err
		}
		id := w.spawn(good)
		l := listen(id)
		w.rt.last().crash <- "boom"
		synctest.Wait()
		_, err := w.s.Listen(id)
		require.ErrorIs(t, err, ErrStopped, "it is between two instances")
		require.ErrorIs(t, rest(l), capsule.ErrPanicked)
		time.Sleep(time.Second)
		l = listen(id)
		_, err = w.call(id, "return")
		require.Error(t, err)
		require.ErrorIs(t, rest(l), io.EOF)

		id = w.spawn(good)
		l = listen(id)
		require.Equal(t, capsule.OK, w.to(id, capsule.Kill).Code)
		require.ErrorIs(t, rest(l), capsule.ErrKilled)

		// One that is full when its capsule returns still gets all of it.
		id = w.spawn(good)
		l, err = w.s.Listen(id)
		require.NoError(t, err)
		const frames = listenAhead/1024 + 2
		_, err = w.call(id, "emit", fmt.Sprint(frames), "return")
		require.Error(t, err)
		synctest.Wait()
		take(t, l, 0, frames<<10)
		_, err = l.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.EOF)
		require.NoError(t, l.Close())
	})
}
