package matchmaker

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"inos/internal/governance"
)

// With one hand and one node, jobs run in the order of the queue.
func TestOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard("a")
		y.behave = works(time.Second)
		m := serve(t, y, Config{InHand: 1})
		var want []string
		submit := func(priority uint8, deadline time.Duration) string {
			a := admit(t, func(j *governance.Job) {
				j.Priority, j.Deadline = priority, time.Now().Add(deadline)
			})
			go func() { _, _ = m.Submit(context.Background(), a) }()
			synctest.Wait()
			return a.Job().ID
		}
		want = append(want, submit(0, time.Hour)) // taken at once
		low := submit(0, time.Hour)
		soon := submit(5, time.Minute)
		later := submit(5, 2*time.Minute)
		high := submit(200, time.Hour)
		want = append(want, high, soon, later, low)
		time.Sleep(time.Minute)
		require.Equal(t, want, y.ran())
	})
}

// However many jobs of the highest priority keep coming, a job of the lowest
// waits for those only that arrive within 255 steps after it.
func TestNoStarvation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard("a")
		y.behave = works(time.Second)
		step := 10 * time.Millisecond
		m := serve(t, y, Config{InHand: 1, Step: step})
		stop := make(chan struct{})
		stopped := make(chan struct{})
		go func() { // one a second, as many as the node can do
			defer close(stopped)
			for {
				a := admit(t, func(j *governance.Job) { j.Priority = 255 })
				go func() { _, _ = m.Submit(context.Background(), a) }()
				select {
				case <-time.After(time.Second):
				case <-stop:
					return
				}
			}
		}()
		time.Sleep(1500 * time.Millisecond)
		start := time.Now()
		_, err := m.Submit(t.Context(), admit(t, nil))
		require.NoError(t, err)
		require.LessOrEqual(t, time.Since(start), 255*step+3*time.Second)
		close(stop)
		<-stopped
		time.Sleep(time.Minute)
	})
}

// For any jobs at any times: of two that wait, the one goes first that arrived
// first, unless the other's priority is worth more than its delay.
func TestRankIsWhatItSays(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(2, 30).Draw(rt, "jobs")
		synctest.Test(t, func(t *testing.T) {
			y := newYard("a")
			y.behave = works(time.Minute)
			m := serve(t, y, Config{InHand: 1, Step: time.Millisecond})
			type job struct {
				arrived  time.Time
				priority uint8
			}
			jobs := map[string]job{}
			first := admit(t, nil)
			go func() { _, _ = m.Submit(context.Background(), first) }()
			synctest.Wait()
			for range n {
				time.Sleep(time.Duration(rapid.IntRange(0, 100).Draw(rt, "gap")) * time.Millisecond)
				p := rapid.Byte().Draw(rt, "priority")
				a := admit(t, func(j *governance.Job) { j.Priority = p })
				jobs[a.Job().ID] = job{time.Now(), p}
				go func() { _, _ = m.Submit(context.Background(), a) }()
				synctest.Wait()
			}
			time.Sleep(time.Duration(n+2) * time.Minute)
			order := y.ran()[1:]
			if len(order) != n {
				rt.Fatalf("%d jobs ran of %d", len(order), n)
			}
			for i := 1; i < len(order); i++ {
				a, b := jobs[order[i-1]], jobs[order[i]]
				bonus := time.Duration(int(a.priority)-int(b.priority)) * time.Millisecond
				if a.arrived.Add(-bonus).After(b.arrived) {
					rt.Fatalf("%+v went before %+v", a, b)
				}
			}
		})
	})
}
