package capsule_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/testkit/capsules"
)

// singleThreaded is a fakeCapsule on a host with one thread, which always wants it back.
type singleThreaded struct {
	*spinningCapsule
	rests  int
	rested chan struct{}
}

func (s *singleThreaded) Instantiate(ctx context.Context, epoch uint32, limit uint64) (capsule.Instance, error) {
	_, err := s.spinningCapsule.Instantiate(ctx, epoch, limit)
	return s, err
}

func (s *singleThreaded) Tired() bool { return true }

func (s *singleThreaded) Yield() <-chan struct{} {
	s.rests++
	return s.rested
}

// Where there is one thread for everything, a full ring is taken in parts, between
// which everything else has its turn: commands go out, and nothing is overtaken.
func TestAPumpThatIsTiredRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const frames = 150
		s := &singleThreaded{rested: make(chan struct{}), spinningCapsule: &spinningCapsule{fakeCapsule: newFakeCapsule(serve(func(f *fakeCapsule, msg any) {
			if _, is := msg.([]byte); is {
				for n := range frames {
					f.m.Push(capsule.FrameData, []byte{byte(n)})
				}
				f.ring()
				return
			}
			quietly(f, capsule.FrameReply, capsule.Reply{ID: msg.(capsule.Command).ID, MemoryEpoch: f.epoch()})
		}))}}
		var got []byte
		c, err := capsule.Open(t.Context(), s, capsule.Config{Codec: capsules.JSONCodec{}, OnData: func(p []byte) { got = append(got, p...) }})
		require.NoError(t, err)
		defer end(c)
		require.NoError(t, c.Send(t.Context(), []byte("all")))
		synctest.Wait()
		require.Len(t, got, 63, "and the heartbeat")
		answered := make(chan error, 1)
		go func() {
			_, err := c.Command(t.Context(), capsule.Command{Type: capsule.Pause})
			answered <- err
		}()
		time.Sleep(time.Millisecond) // the look takes time
		require.Len(t, got, 63)
		require.Empty(t, answered, "whoever looks for the answer finds that it is not next")
		require.Zero(t, s.m.Word(capsule.OffCommandTail)-s.m.Word(capsule.OffCommandHead), "the command went out")
		for due := 63; due+64 <= frames; due += 64 {
			s.rested <- struct{}{}
			synctest.Wait()
			require.Len(t, got, due+64)
		}
		s.rested <- struct{}{}
		require.NoError(t, <-answered)
		require.Len(t, got, frames)
		for n, b := range got {
			require.Equal(t, byte(n), b)
		}
		require.Equal(t, 2, s.rests)
	})
}

// A log that never ends costs its readers as much as one of bounded rate, and says
// how much of it is missing.
func TestALogIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const lines = 5000
		heard, missing := 0, 0
		f := newFakeCapsule(serve(func(f *fakeCapsule, msg any) {
			for n := range lines {
				f.say(capsule.FrameLog, capsule.Log{Text: strconv.Itoa(n)})
			}
			obedient(f, msg)
		}))
		c := openFakeCapsule(t, f, capsule.Config{OnLog: func(l capsule.Log) {
			if n := 0; l.Level == 4 {
				_, err := fmt.Sscanf(l.Text, "inos: %d lines", &n)
				require.NoError(t, err)
				missing += n
				return
			}
			heard++
		}})
		defer end(c)
		ask := func() {
			_, err := c.Command(t.Context(), capsule.Command{Type: capsule.Pause})
			require.NoError(t, err)
			synctest.Wait()
		}
		ask()
		require.InDelta(t, 1000, heard, 10)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		require.Equal(t, lines, heard+missing, "without another line")
		ask()
		require.InDelta(t, 1200, heard, 20)
		c.Kill(errors.New("enough"))
	})
}

// Of heartbeats without end the newest is heard.
func TestHeartbeatsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const beats = 2000
		heard := 0
		f := newFakeCapsule(serve(func(f *fakeCapsule, msg any) {
			for n := range beats {
				f.say(capsule.FrameHeartbeat, capsule.Heartbeat{Status: capsule.Healthy, MemoryEpoch: 1, Sequence: uint64(n) + 2})
			}
			obedient(f, msg)
		}))
		c := openFakeCapsule(t, f, capsule.Config{OnHeartbeat: func(capsule.Heartbeat) { heard++ }})
		defer end(c)
		_, err := c.Command(t.Context(), capsule.Command{Type: capsule.Pause})
		require.NoError(t, err)
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		require.EqualValues(t, beats+1, c.LastHeartbeat().Sequence)
		require.LessOrEqual(t, heard, 110)
	})
}

// A heartbeat that is put off is judged all the same.
func TestALateHeartbeatIsJudged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeCapsule(func(f *fakeCapsule) {
			for range 200 {
				f.beat()
			}
			f.m.Push(capsule.FrameHeartbeat, []byte("{"))
			f.ring()
			<-f.quit
		})
		c := openFakeCapsule(t, f, capsule.Config{})
		<-c.Done()
		require.ErrorIs(t, c.Err(), capsule.ErrProtocol)
	})
}

// A command head that lies is noticed when the capsule rings, though there is
// nothing to send; so is one that lies in silence, while it has a job.
func TestAHeadThatLiesIsNoticed(t *testing.T) {
	for name, rings := range map[string]bool{"it rings": true, "in silence": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFakeCapsule(serve(func(f *fakeCapsule, msg any) {
					f.m.SetWord(capsule.OffCommandHead, 1<<30)
					if rings {
						f.ring()
					}
					<-f.quit
				}))
				c := openFakeCapsule(t, f, capsule.Config{})
				defer end(c)
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				_, err := c.Run(ctx, capsule.Task{}, nil)
				require.ErrorIs(t, err, capsule.ErrRingBroken)
				<-c.Done()
			})
		})
	}
}

// The host keeps the clock of a capsule that is at work on a stream, and of no
// other: a paused one sleeps by its own.
func TestTheClockOfAStreamIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeCapsule(serve(func(f *fakeCapsule, msg any) {
			if _, is := msg.(capsule.Command); is {
				obedient(f, msg)
				return
			}
			// As the SDK does: the word changes before the host can see the room.
			f.m.SetWord(capsule.OffBusy, 1)
			<-f.quit
		}))
		c := openFakeCapsule(t, f, capsule.Config{})
		defer end(c)
		clock := func() uint64 {
			low, high := f.m.Word(capsule.OffClock), f.m.Word(capsule.OffClock+4)
			return uint64(high)<<32 | uint64(low)
		}
		// ticks is by how much the clock moves within ten intervals.
		ticks := func() time.Duration {
			was := clock()
			time.Sleep(10 * capsule.ClockInterval)
			synctest.Wait()
			return time.Duration(clock() - was)
		}
		require.Zero(t, ticks(), "it is idle")
		require.NoError(t, c.Send(t.Context(), []byte("x")))
		require.InDelta(t, 10*capsule.ClockInterval, ticks(), float64(2*capsule.ClockInterval))
		f.m.SetWord(capsule.OffState, capsule.StatePaused)
		time.Sleep(2 * capsule.ClockInterval)
		require.Zero(t, ticks())
		f.m.SetWord(capsule.OffState, capsule.StateRunning)
		f.ring()
		time.Sleep(2 * capsule.ClockInterval)
		require.InDelta(t, 10*capsule.ClockInterval, ticks(), float64(2*capsule.ClockInterval))
		f.m.SetWord(capsule.OffBusy, 0)
		time.Sleep(2 * capsule.ClockInterval)
		require.Zero(t, ticks())
		// What it has not even taken counts as well.
		require.NoError(t, c.Send(t.Context(), []byte("y")))
		require.InDelta(t, 10*capsule.ClockInterval, ticks(), float64(2*capsule.ClockInterval))
	})
}
