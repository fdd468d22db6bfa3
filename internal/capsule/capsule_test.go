package capsule_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/testkit/capsules"
)

func TestRunBringsOutputBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeCapsule(serve(obedient))
		c := openFakeCapsule(t, f, capsule.Config{ID: "c"})
		defer end(c)
		require.Zero(t, f.m.Word(capsule.OffLooks), "only where waking takes long")
		require.Equal(t, "c", c.LastHeartbeat().CapsuleID)
		out, err := c.Run(t.Context(), capsule.Task{Input: []byte("stressed")}, nil)
		require.NoError(t, err)
		require.Equal(t, "desserts", string(out))
		out, err = c.Run(t.Context(), capsule.Task{}, nil)
		require.NoError(t, err)
		require.Empty(t, out)
		require.Zero(t, c.Pending())
	})
}

// Whoever is told of a heartbeat knows the first by the time Open returns: a
// supervisor's list must not lag behind the answer to its spawn.
func TestOpenWaitsForWhoHearsTheFirstHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var heard atomic.Int32
		c := openFakeCapsule(t, newFakeCapsule(serve(obedient)), capsule.Config{OnHeartbeat: func(capsule.Heartbeat) {
			time.Sleep(time.Millisecond) // on the bubble's clock
			heard.Add(1)
		}})
		defer end(c)
		require.EqualValues(t, 1, heard.Load())
	})
}

func TestOpenGivesUpAndLeavesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		body func(*fakeCapsule)
		is   error
	}{
		"silence": {func(f *fakeCapsule) { <-f.quit }, capsule.ErrNotReady},
		"an end":  {func(f *fakeCapsule) {}, capsule.ErrStopped},
		"another epoch": {func(f *fakeCapsule) {
			f.say(capsule.FrameHeartbeat, capsule.Heartbeat{MemoryEpoch: 6})
			<-f.quit
		}, capsule.ErrNotReady},
		"garbage": {func(f *fakeCapsule) {
			f.m.Push(capsule.FrameHeartbeat, []byte("{"))
			f.ring()
			<-f.quit
		}, capsule.ErrProtocol},
		"a panic": {func(f *fakeCapsule) {
			text := "lib.rs:1:1: oh\xff"
			_ = f.m.Write(capsules.ControlBlock+capsule.OffPanicText, []byte(text))
			f.m.SetWord(capsule.OffPanicLength, uint32(len(text)))
			f.m.SetWord(capsule.OffState, capsule.StatePanicked)
			f.ring()
			<-f.quit
		}, capsule.ErrPanicked},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFakeCapsule(c.body)
				_, err := capsule.Open(t.Context(), f, capsule.Config{Codec: capsules.JSONCodec{}, Epoch: 5})
				require.ErrorIs(t, err, c.is)
				<-f.done
			})
		})
	}
}

func TestAMisbehavingCapsuleIsKilledAndEverythingPendingAnswered(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(f *fakeCapsule, msg any)
		is     error
		says   string
	}{
		"room outside the memory": {func(f *fakeCapsule, msg any) {
			f.say(capsule.FrameReserved, capsule.Reserved{Ticket: 1, OK: true, Offset: 1 << 20, Length: 8})
		}, capsule.ErrProtocol, ""},
		"room that wraps around": {func(f *fakeCapsule, msg any) {
			f.say(capsule.FrameReserved, capsule.Reserved{Ticket: 1, OK: true, Offset: ^uint64(0), Length: 8})
		}, capsule.ErrProtocol, ""},
		"room over the control block": {func(f *fakeCapsule, msg any) {
			f.say(capsule.FrameReserved, capsule.Reserved{Ticket: 1, OK: true, Offset: capsules.ControlBlock - 4, Length: 8})
		}, capsule.ErrProtocol, "overlaps"},
		"room over a ring": {func(f *fakeCapsule, msg any) {
			f.say(capsule.FrameReserved, capsule.Reserved{Ticket: 1, OK: true, Offset: capsules.Events + capsules.RingSize - 1, Length: 8})
		}, capsule.ErrProtocol, "overlaps"},
		"too little room": {func(f *fakeCapsule, msg any) {
			f.say(capsule.FrameReserved, capsule.Reserved{Ticket: 1, OK: true, Offset: capsules.InputAt, Length: 2})
		}, capsule.ErrProtocol, ""},
		"an answer before its question": {func(f *fakeCapsule, msg any) {
			f.say(capsule.FrameRunDone, capsule.RunDone{Ticket: 1})
		}, capsule.ErrProtocol, ""},
		"the same answer twice": {func(f *fakeCapsule, msg any) {
			for range 2 {
				f.say(capsule.FrameReserved, capsule.Reserved{Ticket: 1, OK: true, Offset: capsules.InputAt, Length: 8})
			}
		}, capsule.ErrProtocol, ""},
		"a reply to nobody": {func(f *fakeCapsule, msg any) {
			f.say(capsule.FrameReply, capsule.Reply{ID: "x", MemoryEpoch: 5})
		}, capsule.ErrProtocol, ""},
		"progress of nothing": {func(f *fakeCapsule, msg any) {
			f.say(capsule.FrameProgress, capsule.Progress{Ticket: 9})
		}, capsule.ErrProtocol, ""},
		"a heartbeat of an epoch to come": {func(f *fakeCapsule, msg any) {
			f.say(capsule.FrameHeartbeat, capsule.Heartbeat{MemoryEpoch: 6})
		}, capsule.ErrProtocol, "epoch 6"},
		"a heartbeat of another epoch": {func(f *fakeCapsule, msg any) {
			f.say(capsule.FrameHeartbeat, capsule.Heartbeat{MemoryEpoch: 4})
		}, capsule.ErrProtocol, ""},
		"a frame of the host's": {func(f *fakeCapsule, msg any) {
			f.say(capsule.FrameRun, capsule.Run{})
		}, capsule.ErrProtocol, ""},
		"a broken ring": {func(f *fakeCapsule, msg any) {
			f.m.SetWord(capsule.OffEventTail, 1<<30)
			f.ring()
		}, capsule.ErrRingBroken, ""},
		"an end": {func(f *fakeCapsule, msg any) { f.m.SetWord(capsule.OffKill, 1) }, capsule.ErrStopped, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := openFakeCapsule(t, newFakeCapsule(serve(c.answer)), capsule.Config{Epoch: 5})
				var all sync.WaitGroup
				callers := 3
				if c.says != "" {
					callers = 1 // or an answer for the wrong one comes first
				}
				for range callers {
					all.Go(func() {
						_, err := k.Run(context.Background(), capsule.Task{Input: []byte("12345678")}, nil)
						if !errors.Is(err, c.is) {
							t.Errorf("%v", err)
						}
					})
				}
				all.Wait()
				<-k.Done()
				if c.is == capsule.ErrStopped {
					require.NoError(t, k.Err())
				} else {
					require.ErrorIs(t, k.Err(), c.is)
					require.ErrorContains(t, k.Err(), c.says)
				}
			})
		})
	}
}

func TestRunErrorsAreTheCapsulesOwn(t *testing.T) {
	for code, is := range map[capsule.RunCode]error{
		capsule.RunUnknownMethod: capsule.ErrUnknownMethod, capsule.RunBadInput: capsule.ErrBadInput,
		capsule.RunFailed: capsule.ErrRunFailed, capsule.RunNoMemory: capsule.ErrRunNoMemory, 99: capsule.ErrRunFailed,
	} {
		synctest.Test(t, func(t *testing.T) {
			c := openFakeCapsule(t, newFakeCapsule(serve(func(f *fakeCapsule, msg any) {
				if m, ok := msg.(capsule.Run); ok {
					f.say(capsule.FrameRunDone, capsule.RunDone{Ticket: m.Ticket, Code: code, Message: "why"})
				}
			})), capsule.Config{})
			defer end(c)
			_, err := c.Run(t.Context(), capsule.Task{}, nil)
			require.ErrorIs(t, err, is)
			require.ErrorContains(t, err, "why")
		})
	}
}

func TestACommandHasADeadlineAndALateAnswerHarmsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := openFakeCapsule(t, newFakeCapsule(serve(func(f *fakeCapsule, msg any) {
			if m, ok := msg.(capsule.Command); ok && m.Type == capsule.Pause {
				time.Sleep(time.Minute) // within the bubble
			}
			obedient(f, msg)
		})), capsule.Config{MaxCommands: 2})
		defer end(c)
		reply, err := c.Command(t.Context(), capsule.Command{ID: "a", Type: capsule.Pause})
		require.ErrorIs(t, err, capsule.ErrDeadline)
		require.Equal(t, capsule.Deadline, reply.Code)
		require.Equal(t, "a", reply.ID)
		// Its id is taken until the answer comes.
		reply, err = c.Command(t.Context(), capsule.Command{ID: "a", Type: capsule.Pause})
		require.NoError(t, err)
		require.Equal(t, capsule.BadParams, reply.Code)
		reply, err = c.Command(t.Context(), capsule.Command{ID: "b", Type: capsule.Resume, Deadline: time.Now().Add(2 * time.Minute)})
		require.NoError(t, err)
		require.Equal(t, capsule.OK, reply.Code)
		require.NoError(t, c.Err())
	})
}

func TestUnansweredCommandsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		heard := make(chan string, 100)
		c := openFakeCapsule(t, newFakeCapsule(serve(func(_ *fakeCapsule, msg any) { heard <- msg.(capsule.Command).ID })), capsule.Config{MaxCommands: 3})
		defer end(c)
		for range 10 {
			_, err := c.Command(t.Context(), capsule.Command{Type: capsule.Pause})
			require.ErrorIs(t, err, capsule.ErrDeadline)
		}
		require.Len(t, heard, 3)
	})
}

func TestCommandsThatALiveCapsuleDoesNotTake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := openFakeCapsule(t, newFakeCapsule(serve(obedient)), capsule.Config{})
		defer end(c)
		for kind, code := range map[capsule.CommandType]capsule.ReplyCode{
			capsule.Spawn: capsule.InvalidState, capsule.Snapshot: capsule.Unsupported, 77: capsule.Unsupported,
			capsule.ResizeMem: capsule.BadParams,
		} {
			reply, err := c.Command(t.Context(), capsule.Command{ID: "x", Type: kind})
			require.NoError(t, err)
			require.Equal(t, code, reply.Code)
		}
	})
}

func TestResizeRaisesTheEpochAndFencesTheOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeCapsule(serve(obedient))
		c := openFakeCapsule(t, f, capsule.Config{Epoch: 3, MemoryLimit: 4 * capsule.PageSize})
		defer end(c)
		resize := func(bytes uint64) capsule.Reply {
			reply, err := c.Command(t.Context(), capsule.Command{Type: capsule.ResizeMem, Resize: &capsule.ResizeParams{Bytes: bytes}})
			require.NoError(t, err)
			return reply
		}
		reply := resize(3 * capsule.PageSize)
		require.Equal(t, capsule.OK, reply.Code)
		require.EqualValues(t, 4, reply.MemoryEpoch)
		require.EqualValues(t, 3*capsule.PageSize, reply.MemoryBytes)
		require.EqualValues(t, 4, c.Epoch())
		require.Equal(t, capsule.Limit, resize(4*capsule.PageSize+1).Code)
		require.Equal(t, capsule.Refused, resize(capsule.PageSize).Code)
		same := resize(3 * capsule.PageSize)
		require.Equal(t, capsule.OK, same.Code)
		require.EqualValues(t, 4, same.MemoryEpoch)
	})
}

func TestBackPressureOfAFullRing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := make(chan struct{})
		got := make(chan any, 1000)
		c := openFakeCapsule(t, newFakeCapsule(func(f *fakeCapsule) {
			f.beat()
			<-start
			serve(func(_ *fakeCapsule, msg any) { got <- msg })(f)
		}), capsule.Config{})
		defer end(c)
		// Two frames fill the ring; the third waits until ctx ends.
		for range 2 {
			require.NoError(t, c.Send(t.Context(), make([]byte, 1900)))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, c.Send(ctx, make([]byte, 1900)), context.DeadlineExceeded)
		close(start)
		require.NoError(t, c.Send(t.Context(), []byte("last")))
		require.Len(t, <-got, 1900)
		require.Len(t, <-got, 1900)
		require.Equal(t, []byte("last"), <-got, "the withdrawn frame was never sent")
	})
}

func TestCancelledTasksKeepTheirSlotUntilTheCapsuleAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := openFakeCapsule(t, newFakeCapsule(serve(func(f *fakeCapsule, msg any) {
			switch m := msg.(type) {
			case capsule.Run: // no answer before the release
			case capsule.Release:
				f.say(capsule.FrameRunDone, capsule.RunDone{Ticket: m.Ticket, Code: capsule.RunFailed})
			default:
				obedient(f, msg)
			}
		})), capsule.Config{MaxTasks: 1})
		defer end(c)
		for range 5 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			_, err := c.Run(ctx, capsule.Task{Input: []byte("x")}, nil)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			cancel()
		}
		synctest.Wait()
		require.Zero(t, c.Pending())
		require.NoError(t, c.Err())
	})
}

func TestTheClockRunsWhileATaskDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeCapsule(serve(func(*fakeCapsule, any) {}))
		c := openFakeCapsule(t, f, capsule.Config{})
		defer end(c)
		clock := func() uint64 {
			var b [8]byte
			require.NoError(t, f.m.Read(capsules.ControlBlock+capsule.OffClock, b[:]))
			return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 | uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
		}
		idle := clock()
		time.Sleep(time.Second)
		require.Equal(t, idle, clock(), "no timer runs for an idle capsule")
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			_, err := c.Run(ctx, capsule.Task{}, nil)
			ended <- err
		}()
		time.Sleep(time.Second)
		require.InDelta(t, time.Now().UnixNano(), clock(), float64(2*capsule.ClockInterval))
		cancel()
		require.ErrorIs(t, <-ended, context.Canceled)
	})
}

func TestConfigIsChecked(t *testing.T) {
	f := newFakeCapsule(nil)
	_, err := capsule.Open(t.Context(), f, capsule.Config{})
	require.ErrorContains(t, err, "Codec")
	_, err = capsule.Open(t.Context(), f, capsule.Config{Codec: capsules.JSONCodec{}, MemoryLimit: capsule.PageSize})
	require.ErrorIs(t, err, capsule.ErrMemoryLimit)
	require.ErrorContains(t, err, "65536 bytes, the module needs 131072")
}
