package capsule_test

import (
	"bytes"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"inos/internal/capsule"
	"inos/internal/testkit/capsules"
)

func attach(t require.TestingT, m *capsules.HeapMemory) *capsule.ControlBlock {
	cb, err := capsule.Attach(m, capsules.ControlBlock)
	require.NoError(t, err)
	return cb
}

// startAt sets a ring's counters, to be near their wrap-around.
func startAt(m *capsules.HeapMemory, n uint32) {
	for _, off := range []uint32{capsule.OffCommandHead, capsule.OffCommandTail, capsule.OffEventHead, capsule.OffEventTail} {
		m.SetWord(off, n&^7)
	}
}

type sent struct {
	kind    capsule.FrameKind
	payload []byte
}

// Whatever is pushed comes out once, whole and in order, and nothing is
// overwritten, however pushes and drains interleave.
func TestRingsKeepEveryFrame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := capsules.NewHeapMemory(128<<10, 1<<20)
		startAt(m, rapid.Uint32().Draw(t, "counters"))
		cb := attach(t, m)
		var toCapsule, toHost []sent
		frame := func(t *rapid.T) sent {
			n := rapid.IntRange(0, int(capsule.MaxPayload(capsules.RingSize))).Draw(t, "length")
			return sent{
				capsule.FrameKind(rapid.Uint16().Draw(t, "kind")),
				bytes.Repeat([]byte{rapid.Byte().Draw(t, "byte")}, n),
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"host pushes": func(t *rapid.T) {
				f := frame(t)
				used := m.Word(capsule.OffCommandTail) - m.Word(capsule.OffCommandHead)
				err := cb.Commands().Push(f.kind, f.payload)
				if int(used)+8+(len(f.payload)+7)/8*8 > capsules.RingSize {
					require.ErrorIs(t, err, capsule.ErrRingFull)
					return
				}
				require.NoError(t, err)
				toCapsule = append(toCapsule, f)
			},
			"capsule pops": func(t *rapid.T) {
				kind, payload, ok := m.Pop()
				require.Equal(t, len(toCapsule) > 0, ok)
				if ok {
					require.Equal(t, toCapsule[0], sent{kind, payload})
					toCapsule = toCapsule[1:]
				}
			},
			"capsule pushes": func(t *rapid.T) {
				if f := frame(t); m.Push(f.kind, f.payload) {
					toHost = append(toHost, f)
				}
			},
			"host drains": func(t *rapid.T) {
				n, err := cb.Events().Drain(func(kind capsule.FrameKind, payload []byte) error {
					require.Equal(t, toHost[0].kind, kind)
					require.True(t, bytes.Equal(toHost[0].payload, payload))
					toHost = toHost[1:]
					return nil
				})
				require.NoError(t, err)
				require.Empty(t, toHost)
				_ = n
			},
		})
	})
}

func TestDrainCrossesAConstantNumberOfTimes(t *testing.T) {
	m := capsules.NewHeapMemory(128<<10, 1<<20)
	cb := attach(t, m)
	for _, frames := range []int{1, 60} {
		for range frames {
			require.True(t, m.Push(capsule.FrameLog, make([]byte, 56)))
		}
		m.Calls = 0
		n, err := cb.Events().Drain(func(capsule.FrameKind, []byte) error { return nil })
		require.NoError(t, err)
		require.Equal(t, frames, n)
		require.LessOrEqual(t, m.Calls, 5)
	}
}

func TestDrainWakesAWaitingCapsule(t *testing.T) {
	m := capsules.NewHeapMemory(128<<10, 1<<20)
	cb := attach(t, m)
	drain := func() {
		_, err := cb.Events().Drain(func(capsule.FrameKind, []byte) error { return nil })
		require.NoError(t, err)
	}
	require.True(t, m.Push(capsule.FrameLog, nil))
	drain()
	require.Zero(t, m.Word(capsule.OffEventSpace), "nobody waited")
	require.True(t, m.Push(capsule.FrameLog, nil))
	m.SetWord(capsule.OffEventWaiting, 1)
	drain()
	require.EqualValues(t, 1, m.Word(capsule.OffEventSpace))
}

// A full ring is waited for with the waiting word set, and looked at again after
// it was; whoever then fits everything in clears it.
func TestAFullRingIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		waiting := func(f *fakeCapsule) uint32 { return f.m.Word(capsule.OffCommandWaiting) }
		start := make(chan struct{})
		f := newFakeCapsule(func(f *fakeCapsule) {
			f.beat()
			<-start
			serve(func(*fakeCapsule, any) {})(f)
		})
		c := openFakeCapsule(t, f, capsule.Config{})
		defer end(c)
		for range 2 {
			require.NoError(t, c.Send(t.Context(), make([]byte, 1900)))
		}
		require.Zero(t, waiting(f))
		sent := make(chan error, 1)
		go func() { sent <- c.Send(t.Context(), make([]byte, 1900)) }()
		synctest.Wait()
		require.EqualValues(t, 1, waiting(f))
		close(start)
		began := time.Now()
		require.NoError(t, <-sent)
		require.Zero(t, time.Since(began), "the capsule rang: no timer was waited for")
		synctest.Wait()
		require.Zero(t, waiting(f))
	})
}

func TestRingsAllocateNothing(t *testing.T) {
	m := capsules.NewHeapMemory(128<<10, 1<<20)
	cb := attach(t, m)
	payload := make([]byte, 56)
	yield := func(capsule.FrameKind, []byte) error { return nil }
	allocs := testing.AllocsPerRun(1000, func() {
		if err := cb.Commands().Push(capsule.FrameData, payload); err != nil {
			t.Fatal(err)
		}
		m.SetWord(capsule.OffCommandHead, m.Word(capsule.OffCommandTail))
		tail := m.Word(capsule.OffEventTail)
		require.NoError(t, m.Store32(capsules.Events+tail%capsules.RingSize, 56))
		require.NoError(t, m.Store32(capsules.Events+tail%capsules.RingSize+4, uint32(capsule.FrameData)))
		m.SetWord(capsule.OffEventTail, tail+64)
		if n, err := cb.Events().Drain(yield); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	})
	require.Zero(t, allocs)
}

func TestPushRefusesWhatCannotFit(t *testing.T) {
	cb := attach(t, capsules.NewHeapMemory(128<<10, 1<<20))
	require.ErrorIs(t, cb.Commands().Push(capsule.FrameData, make([]byte, capsules.RingSize/2-7)), capsule.ErrFrameTooLarge)
	require.NoError(t, cb.Commands().Push(capsule.FrameData, make([]byte, capsules.RingSize/2-8)))
}

func TestBrokenCountersAreNamed(t *testing.T) {
	for name, breakIt := range map[string]func(m *capsules.HeapMemory){
		"more unread than room": func(m *capsules.HeapMemory) { m.SetWord(capsule.OffEventTail, capsules.RingSize+8) },
		"tail before head":      func(m *capsules.HeapMemory) { m.SetWord(capsule.OffEventTail, ^uint32(7)) },
		"misaligned tail":       func(m *capsules.HeapMemory) { m.SetWord(capsule.OffEventTail, 12) },
		"length past the tail": func(m *capsules.HeapMemory) {
			require.NoError(t, m.Store32(capsules.Events, 64))
			m.SetWord(capsule.OffEventTail, 16)
		},
		"length past everything": func(m *capsules.HeapMemory) {
			require.NoError(t, m.Store32(capsules.Events, ^uint32(0)))
			m.SetWord(capsule.OffEventTail, 16)
		},
		"header with high bits": func(m *capsules.HeapMemory) {
			require.NoError(t, m.Store32(capsules.Events+4, 1<<16))
			m.SetWord(capsule.OffEventTail, 8)
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := capsules.NewHeapMemory(128<<10, 1<<20)
			cb := attach(t, m)
			breakIt(m)
			_, err := cb.Events().Drain(func(capsule.FrameKind, []byte) error { return nil })
			require.ErrorIs(t, err, capsule.ErrRingBroken)
			require.ErrorContains(t, err, "event ring")
		})
	}
	for name, head := range map[string]uint32{"head past tail": 1 << 20, "misaligned head": 4, "head going back": ^uint32(7)} {
		t.Run(name, func(t *testing.T) {
			m := capsules.NewHeapMemory(128<<10, 1<<20)
			cb := attach(t, m)
			require.NoError(t, cb.Commands().Push(capsule.FrameData, make([]byte, 1024)))
			m.SetWord(capsule.OffCommandHead, head)
			_, err := cb.Commands().Used()
			require.ErrorIs(t, err, capsule.ErrRingBroken)
		})
	}
}

func TestDrainPassesYieldsErrorOn(t *testing.T) {
	m := capsules.NewHeapMemory(128<<10, 1<<20)
	cb := attach(t, m)
	require.True(t, m.Push(capsule.FrameLog, nil))
	stop := errors.New("stop")
	_, err := cb.Events().Drain(func(capsule.FrameKind, []byte) error { return stop })
	require.ErrorIs(t, err, stop)
}

// FuzzDrain reads rings that hold any bytes behind any counters.
func FuzzDrain(f *testing.F) {
	f.Add(uint32(0), uint32(16), []byte{8, 0, 0, 0, 9, 0, 0, 0})
	f.Add(uint32(capsules.RingSize-8), uint32(capsules.RingSize+8), bytes.Repeat([]byte{0xff}, capsules.RingSize))
	f.Fuzz(func(t *testing.T, head, tail uint32, ring []byte) {
		m := capsules.NewHeapMemory(128<<10, 1<<20)
		startAt(m, head)
		cb := attach(t, m)
		require.NoError(t, m.Write(capsules.Events, ring[:min(len(ring), capsules.RingSize)]))
		m.SetWord(capsule.OffEventTail, tail)
		total := 0
		_, err := cb.Events().Drain(func(_ capsule.FrameKind, payload []byte) error {
			total += capsule.FrameHeader + len(payload)
			return nil
		})
		if total > capsules.RingSize {
			t.Fatalf("%d bytes out of a ring of %d", total, capsules.RingSize)
		}
		if err != nil && !errors.Is(err, capsule.ErrRingBroken) {
			t.Fatal(err)
		}
	})
}
