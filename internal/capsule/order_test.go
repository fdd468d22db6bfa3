package capsule_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/testkit/capsules"
)

// observedMemory calls before ahead of every access to a word of the control block.
type observedMemory struct {
	*capsules.HeapMemory
	before func(store bool, off uint32)
}

func (w observedMemory) Load32(off uint32) (uint32, error) {
	w.before(false, off-capsules.ControlBlock)
	return w.HeapMemory.Load32(off)
}

func (w observedMemory) Store32(off, v uint32) error {
	w.before(true, off-capsules.ControlBlock)
	return w.HeapMemory.Store32(off, v)
}

// A capsule that says that it waits, then looks at the head again, is missed by
// nobody: the host moves the head before it looks whether anyone waits.
func TestTheHeadMovesBeforeAWaitingCapsuleIsLookedFor(t *testing.T) {
	m := capsules.NewHeapMemory(128<<10, 1<<20)
	var headAtLook uint32
	cb, err := capsule.Attach(observedMemory{m, func(store bool, off uint32) {
		if !store && off == capsule.OffEventWaiting {
			headAtLook = m.Word(capsule.OffEventHead)
		}
	}}, capsules.ControlBlock)
	require.NoError(t, err)
	require.True(t, m.Push(capsule.FrameData, []byte("x")))
	n, err := cb.Events().Drain(func(capsule.FrameKind, []byte) error { return nil })
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.EqualValues(t, 16, headAtLook)
}

// The capsule may make room after the host has found none and before it says that
// it waits: then nobody will ring, and the host has to look again.
func TestRoomMadeBeforeTheHostSaysItWaitsIsFound(t *testing.T) {
	m := capsules.NewHeapMemory(128<<10, 1<<20)
	cb, err := capsule.Attach(observedMemory{m, func(store bool, off uint32) {
		if store && off == capsule.OffCommandWaiting {
			for _, _, got := m.Pop(); got; _, _, got = m.Pop() {
			}
		}
	}}, capsules.ControlBlock)
	require.NoError(t, err)
	payload := make([]byte, capsule.MaxPayload(capsules.RingSize))
	require.NoError(t, cb.Commands().Push(capsule.FrameData, payload))
	require.NoError(t, cb.Commands().Push(capsule.FrameData, payload))
	require.NoError(t, cb.Commands().Push(capsule.FrameData, payload))
}

// A part of the command ring is for lifecycle commands only: data never fills it.
func TestDataLeavesRoomForCommands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := openFakeCapsule(t, newFakeCapsule(func(f *fakeCapsule) {
			f.beat()
			<-f.quit // and reads nothing
		}), capsule.Config{})
		defer end(c)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		sent := 0
		for c.Send(ctx, make([]byte, 8)) == nil {
			sent++
		}
		require.Equal(t, (capsules.RingSize-capsules.RingSize/16)/16, sent)
	})
}

// While the capsule's memory is copied nothing goes into its command ring: what
// waits there is part of the image.
func TestNothingIsSentToACapsuleThatIsCopied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		still := make(chan struct{})
		f := newFakeCapsule(func(f *fakeCapsule) {
			f.beat()
			for request := uint32(0); request == 0; request = f.m.Word(capsule.OffFreeze) {
				bell := f.m.Word(capsule.OffCommandDoorbell)
				f.m.Wait(capsule.OffCommandDoorbell, bell, time.Millisecond)
			}
			<-still
			f.m.SetWord(capsule.OffFrozen, f.m.Word(capsule.OffFreeze)<<2|capsule.FreezeDone)
			f.ring()
			<-f.quit
		})
		c := openFakeCapsule(t, f, capsule.Config{})
		defer end(c)
		taken := make(chan error)
		go func() {
			_, _, err := c.Snapshot(t.Context(), capsule.Command{Type: capsule.Snapshot})
			taken <- err
		}()
		time.Sleep(10 * time.Millisecond)
		sent := make(chan error)
		go func() { sent <- c.Send(t.Context(), []byte("x")) }()
		synctest.Wait()
		require.Zero(t, f.m.Word(capsule.OffCommandTail))
		close(still)
		require.NoError(t, <-taken)
		require.NoError(t, <-sent)
		require.EqualValues(t, 16, f.m.Word(capsule.OffCommandTail))
	})
}
