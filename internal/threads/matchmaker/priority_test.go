package matchmaker

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/mesh"
)

// send submits a job without waiting for its end.
func send(t *testing.T, m *Matchmaker, change func(*governance.Job)) (id string) {
	t.Helper()
	a := admit(t, change)
	go func() { _, _ = m.Submit(context.Background(), a) }()
	synctest.Wait()
	return a.Job().ID
}

// Jobs get nodes by priority, then by deadline, then by arrival, whoever came first.
func TestOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newNodePool("a")
		y.behave = works(time.Second)
		m := serve(t, y, Config{})
		job := func(priority uint8, deadline time.Duration) string {
			time.Sleep(5 * time.Millisecond)
			return send(t, m, func(j *governance.Job) { j.Priority, j.Deadline = priority, time.Now().Add(deadline) })
		}
		want := []string{job(0, time.Hour)} // taken at once
		low := job(0, time.Hour)
		later := job(5, 2*time.Minute)
		soon := job(5, time.Minute)
		last := job(5, 2*time.Minute)
		high := job(200, time.Hour)
		want = append(want, high, soon, later, last, low)
		time.Sleep(time.Minute)
		require.Equal(t, want, y.placedOrder())
	})
}

func TestUrgency(t *testing.T) {
	step := 100 * time.Millisecond
	require.Equal(t, step, urgency(0, step))
	require.Equal(t, step, urgency(-time.Hour, step))
	require.Equal(t, step/2, urgency(time.Minute, step))
	rapid.Check(t, func(t *rapid.T) {
		a := time.Duration(rapid.Int64Range(0, int64(24*time.Hour)).Draw(t, "a"))
		b := time.Duration(rapid.Int64Range(0, int64(24*time.Hour)).Draw(t, "b"))
		ua, ub := urgency(min(a, b), step), urgency(max(a, b), step)
		require.GreaterOrEqual(t, ua, ub, "the nearer the more urgent")
		require.Positive(t, ub)
		require.LessOrEqual(t, ua, step, "one step at most")
	})
}

// However many jobs of the highest priority and the nearest deadline keep coming, one
// of the lowest waits for those only that arrive within 256 steps after it.
func TestNoStarvation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newNodePool("a", "b")
		y.behave = works(time.Second)
		step := 10 * time.Millisecond
		m := serve(t, y, Config{Step: step})
		stop := make(chan struct{})
		stopped := make(chan struct{})
		go func() { // twice as many as the nodes can do
			defer close(stopped)
			for {
				a := admit(t, func(j *governance.Job) { j.Priority, j.Deadline = 255, time.Now().Add(30*time.Second) })
				go func() { _, _ = m.Submit(context.Background(), a) }()
				select {
				case <-time.After(time.Second / 4):
				case <-stop:
					return
				}
			}
		}()
		time.Sleep(10*time.Second + 100*time.Millisecond)
		backlog := m.Waiting()
		require.Greater(t, backlog, 10)
		start := time.Now()
		_, err := m.Submit(t.Context(), admit(t, nil))
		require.NoError(t, err)
		window := 256 * step
		ahead := backlog + int(window/(time.Second/4)) + 1
		require.LessOrEqual(t, time.Since(start), time.Duration(ahead/2+3)*time.Second)
		close(stop)
		<-stopped
		time.Sleep(5 * time.Minute)
	})
}

// For any jobs at any times: of two that wait, the one goes first that arrived
// first, unless the other's priority and deadline are worth more than its delay.
func TestRankIsWhatItSays(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(2, 30).Draw(rt, "jobs")
		nodes := rapid.IntRange(1, 3).Draw(rt, "nodes")
		hands := rapid.SampledFrom([]int{0, 1, 5}).Draw(rt, "hands") // 0: the default
		synctest.Test(t, func(t *testing.T) {
			var names []identity.PeerID
			for i := range nodes {
				names = append(names, identity.PeerID(fmt.Sprint("node ", i)))
			}
			y := newNodePool(names...)
			y.behave = works(10 * time.Second)
			step := time.Millisecond
			m := serve(t, y, Config{InHand: hands, Step: step})
			type job struct {
				arrived  time.Time
				priority uint8
			}
			jobs := map[string]job{}
			first := nodes // are placed at once
			if hands > 0 {
				first = min(nodes, hands)
			}
			for range first {
				send(t, m, nil)
			}
			for range n {
				time.Sleep(time.Duration(rapid.IntRange(0, 100).Draw(rt, "gap")) * time.Millisecond)
				p := rapid.Byte().Draw(rt, "priority")
				left := 20*time.Minute + time.Duration(rapid.IntRange(0, 2400).Draw(rt, "left"))*time.Second
				id := send(t, m, func(j *governance.Job) { j.Priority, j.Deadline = p, time.Now().Add(left) })
				jobs[id] = job{time.Now(), p}
			}
			time.Sleep(time.Duration(n+2) * time.Minute)
			order := y.placedOrder()[first:]
			if len(order) != n {
				rt.Fatalf("%d jobs ran of %d", len(order), n)
			}
			for i := range order {
				for k := i + 1; k < n; k++ {
					a, b := jobs[order[i]], jobs[order[k]]
					bonus := time.Duration(int(a.priority)-int(b.priority)+1) * step
					if a.arrived.Add(-bonus).After(b.arrived) {
						rt.Fatalf("%+v went before %+v", a, b)
					}
				}
			}
		})
	})
}

// With many hands and slots that come free one after the other, equal jobs still get
// them in the order in which they came: a newcomer does not overtake those that wait.
func TestNewcomersDoNotOvertake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := make([]identity.PeerID, 20)
		for i := range nodes {
			nodes[i] = identity.PeerID(fmt.Sprint("node ", i))
		}
		y := newNodePool(nodes...)
		n := 0
		y.behave = func(ctx context.Context, j governance.Job, p identity.PeerID) (out outcome, err error) {
			y.mu.Lock()
			n++
			d := time.Duration(5+n*7%15) * time.Millisecond
			y.mu.Unlock()
			return works(d)(ctx, j, p)
		}
		m := serve(t, y, Config{Queue: 4000})
		var want []string
		for range 1000 {
			a := admit(t, nil)
			want = append(want, a.Job().ID)
			go func() { _, _ = m.Submit(context.Background(), a) }()
			time.Sleep(50 * time.Microsecond)
		}
		time.Sleep(time.Minute)
		require.Equal(t, want, y.placedOrder())
	})
}

// Jobs that nobody can take now do not hold up those that somebody can.
func TestLinesDoNotBlockEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newNodePool("a", "b")
		y.full["a"] = true
		m := serve(t, y, Config{})
		notB := func(j *governance.Job) { j.Priority, j.Requirements.Exclude = 200, []string{"b"} }
		send(t, m, notB)
		require.Equal(t, 1, m.Waiting())
		start := time.Now()
		_, err := m.Submit(t.Context(), admit(t, nil))
		require.NoError(t, err)
		require.Zero(t, time.Since(start))
	})
}

// A job that a node has failed waits for the others, and those that it has not failed
// do not wait with it.
func TestAnExcludedNodeIsFreeForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newNodePool("a", "b")
		y.full["a"] = true
		poison := true
		y.behave = func(context.Context, governance.Job, identity.PeerID) (out outcome, err error) {
			if poison {
				out.Code = mesh.JobCrashed
			}
			poison = false
			return out, nil
		}
		m := serve(t, y, Config{Recheck: time.Hour})
		send(t, m, func(j *governance.Job) { j.Priority = 200 })
		require.Equal(t, 1, m.Waiting())
		start := time.Now()
		r, err := m.Submit(t.Context(), admit(t, nil))
		require.NoError(t, err)
		require.EqualValues(t, "b", r.Placement.Node)
		require.Zero(t, time.Since(start))
		require.Equal(t, 1, m.Waiting())
	})
}

// Those that wait are looked after now and then even if there is always something else
// to place.
func TestRecheckBesideAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newNodePool("a", "b")
		y.full["a"], y.full["b"] = true, true
		m := serve(t, y, Config{Step: time.Nanosecond})
		waits := make(chan error, 1)
		a := admit(t, nil)
		go func() { _, err := m.Submit(t.Context(), a); waits <- err }()
		synctest.Wait()
		y.mu.Lock()
		y.full["a"] = false // nobody says so
		y.placing = func() { time.Sleep(100 * time.Millisecond) }
		y.mu.Unlock()
		stop := time.After(10 * time.Second)
		for { // more jobs for nobody than can be told so
			select {
			case err := <-waits:
				require.NoError(t, err)
				return
			case <-stop:
				t.Fatal("forgotten")
			case <-time.After(40 * time.Millisecond):
				nobody := admit(t, func(j *governance.Job) { j.Priority, j.Requirements.Exclude = 255, []string{"a", "b"} })
				go func() { _, _ = m.Submit(t.Context(), nobody) }()
			}
		}
	})
}

// News of a node is tried once for all jobs that wait for the same, however many.
func TestAKickTriesEachLineOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newNodePool("a")
		y.full["a"] = true
		m := serve(t, y, Config{Recheck: time.Hour})
		for range 500 {
			send(t, m, nil)
		}
		require.Equal(t, 500, m.Waiting())
		y.sizes = nil
		for range 3 {
			m.Kick()
			m.Kick()
			synctest.Wait()
		}
		require.Len(t, y.sizes, 3)
		y.behave = works(time.Hour)
		y.full["a"] = false
		m.Kick()
		synctest.Wait()
		require.Equal(t, 499, m.Waiting())
	})
}
