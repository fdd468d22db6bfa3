package capsule_test

import (
	"context"
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/testkit/capsules"
)

// spinningCapsule is a fakeCapsule whose host would rather look than sleep, as in a browser.
type spinningCapsule struct {
	*fakeCapsule
	spins int
}

func (s *spinningCapsule) Instantiate(ctx context.Context, epoch uint32, limit uint64) (capsule.Instance, error) {
	_, err := s.fakeCapsule.Instantiate(ctx, epoch, limit)
	return s, err
}

func (s *spinningCapsule) Memory() capsule.Memory { return spinningMemory{s.m, s} }

type spinningMemory struct {
	*capsules.HeapMemory
	s *spinningCapsule
}

func (m spinningMemory) Spin(off, seen uint32) bool {
	m.s.spins++
	time.Sleep(time.Microsecond) // the bubble's: everybody else has had a turn then
	now, err := m.Load32(off)
	return err != nil || now != seen
}

// quietly answers with the doorbell's word only: the pump hears nothing of it.
func quietly(f *fakeCapsule, kind capsule.FrameKind, msg any) {
	b, err := json.Marshal(msg)
	if err != nil {
		panic(err)
	}
	f.m.Push(kind, b)
	f.m.SetWord(capsule.OffEventDoorbell, f.m.Word(capsule.OffEventDoorbell)+1)
}

func TestWhoLooksHearsTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &spinningCapsule{fakeCapsule: newFakeCapsule(serve(func(f *fakeCapsule, msg any) {
			switch m := msg.(type) {
			case capsule.Command:
				quietly(f, capsule.FrameReply, capsule.Reply{ID: m.ID, MemoryEpoch: f.epoch()})
			case capsule.Reserve:
				quietly(f, capsule.FrameReserved, capsule.Reserved{Ticket: m.Ticket, OK: true, Offset: capsules.InputAt, Length: m.Bytes})
			case capsule.Run:
				// A message longer than what is looked at first.
				quietly(f, capsule.FrameRunDone, capsule.RunDone{Ticket: m.Ticket, Offset: m.Offset, Length: m.Length, Message: string(make([]byte, 300))})
			}
		}))}
		c, err := capsule.Open(t.Context(), s, capsule.Config{Codec: capsules.JSONCodec{}})
		require.NoError(t, err)
		defer end(c)
		require.NotZero(t, s.m.Word(capsule.OffLooks), "its capsule looks, too")
		began := time.Now()
		for range 100 {
			r, err := c.Command(t.Context(), capsule.Command{Type: capsule.Resume})
			require.NoError(t, err)
			require.Equal(t, capsule.OK, r.Code)
		}
		out, err := c.Run(t.Context(), capsule.Task{Input: []byte("as it was")}, nil)
		require.NoError(t, err)
		require.Equal(t, "as it was", string(out))
		require.Equal(t, 102*time.Microsecond, time.Since(began), "nobody waited but to look")
		require.Equal(t, 102, s.spins)
	})
}

// An answer that takes longer than a look comes by the pump, and looking rests.
func TestLookingRestsWhileItIsInVain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &spinningCapsule{fakeCapsule: newFakeCapsule(serve(func(f *fakeCapsule, msg any) {
			time.Sleep(time.Millisecond)
			f.say(capsule.FrameReply, capsule.Reply{ID: msg.(capsule.Command).ID, MemoryEpoch: f.epoch()})
		}))}
		c, err := capsule.Open(t.Context(), s, capsule.Config{Codec: capsules.JSONCodec{}})
		require.NoError(t, err)
		defer end(c)
		for range 160 {
			r, err := c.Command(t.Context(), capsule.Command{Type: capsule.Resume})
			require.NoError(t, err)
			require.Equal(t, capsule.OK, r.Code)
		}
		require.Equal(t, 4+10, s.spins)
	})
}

// What does not answer is the pump's, in order: whoever looks takes no heartbeat,
// since callbacks run on the pump's goroutine only.
func TestWhoLooksTakesAnswersOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		beats := 0
		s := &spinningCapsule{fakeCapsule: newFakeCapsule(serve(func(f *fakeCapsule, msg any) {
			f.m.Push(capsule.FrameHeartbeat, []byte(`{"MemoryEpoch":1}`))
			quietly(f, capsule.FrameReply, capsule.Reply{ID: msg.(capsule.Command).ID, MemoryEpoch: f.epoch()})
			time.AfterFunc(time.Millisecond, f.ring)
		}))}
		c, err := capsule.Open(t.Context(), s, capsule.Config{Codec: capsules.JSONCodec{}, OnHeartbeat: func(capsule.Heartbeat) { beats++ }})
		require.NoError(t, err)
		defer end(c)
		synctest.Wait() // the pump sleeps
		began := time.Now()
		_, err = c.Command(t.Context(), capsule.Command{Type: capsule.Resume})
		require.NoError(t, err)
		require.Equal(t, time.Millisecond, time.Since(began))
		require.Equal(t, 2, beats)
	})
}
