package capsule_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/testkit/capsules"
)

// fakeCapsule is a Module and its one Instance: a capsule written in Go, that speaks
// through a HeapMemory. body is its inos_run.
type fakeCapsule struct {
	m    *capsules.HeapMemory
	body func(*fakeCapsule)
	bell chan struct{}
	done chan struct{}
	quit chan struct{}
	once sync.Once
	err  error
}

func newFakeCapsule(body func(*fakeCapsule)) *fakeCapsule {
	return &fakeCapsule{m: capsules.NewHeapMemory(128<<10, 1<<20), body: body,
		bell: make(chan struct{}, 1), done: make(chan struct{}), quit: make(chan struct{})}
}

func (f *fakeCapsule) Info() capsule.ModuleInfo { return capsule.ModuleInfo{MinPages: 2, MaxPages: 16} }

func (f *fakeCapsule) Instantiate(_ context.Context, epoch uint32, _ uint64) (capsule.Instance, error) {
	f.m.SetWord(capsule.OffMemoryEpoch, epoch)
	go func() {
		f.body(f)
		f.ring()
		select {
		case <-f.quit:
			f.err = capsule.ErrKilled
		default:
		}
		close(f.done)
	}()
	return f, nil
}

func (f *fakeCapsule) Memory() capsule.Memory    { return f.m }
func (f *fakeCapsule) Control() uint32           { return capsules.ControlBlock }
func (f *fakeCapsule) Doorbell() <-chan struct{} { return f.bell }
func (f *fakeCapsule) Done() <-chan struct{}     { return f.done }
func (f *fakeCapsule) Err() error {
	select {
	case <-f.done:
		return f.err
	default:
		return nil
	}
}

func (f *fakeCapsule) Kill() {
	f.once.Do(func() {
		f.m.SetWord(capsule.OffKill, 1)
		close(f.quit)
		_ = f.m.Notify(capsules.ControlBlock + capsule.OffCommandDoorbell)
	})
}

func (f *fakeCapsule) ring() {
	select {
	case f.bell <- struct{}{}:
	default:
	}
}

// say sends one event.
func (f *fakeCapsule) say(kind capsule.FrameKind, msg any) {
	b, err := json.Marshal(msg)
	if err != nil {
		panic(err)
	}
	for !f.m.Push(kind, b) {
		f.m.Wait(capsule.OffEventSpace, f.m.Word(capsule.OffEventSpace), time.Millisecond)
		if f.killed() {
			return
		}
	}
	f.ring()
}

func (f *fakeCapsule) killed() bool { return f.m.Word(capsule.OffKill) != 0 }

func (f *fakeCapsule) epoch() uint32 { return f.m.Word(capsule.OffMemoryEpoch) }

func (f *fakeCapsule) beat() {
	f.say(capsule.FrameHeartbeat, capsule.Heartbeat{Status: capsule.Healthy, MemoryEpoch: f.epoch()})
}

// hear waits for the next frame; ok is false once it is killed.
func (f *fakeCapsule) hear() (msg any, ok bool) {
	for !f.killed() {
		bell := f.m.Word(capsule.OffCommandDoorbell)
		kind, payload, got := f.m.Pop()
		if !got {
			f.m.Wait(capsule.OffCommandDoorbell, bell, time.Second)
			continue
		}
		if f.m.Word(capsule.OffCommandWaiting) != 0 {
			f.ring()
		}
		if kind == capsule.FrameData {
			return payload, true
		}
		msg, err := capsules.JSONCodec{}.Heard(kind, payload)
		if err != nil {
			panic(err)
		}
		return msg, true
	}
	return nil, false
}

// serve beats once and answers each message by calling answer, until killed.
func serve(answer func(f *fakeCapsule, msg any)) func(*fakeCapsule) {
	return func(f *fakeCapsule) {
		f.beat()
		for {
			msg, ok := f.hear()
			if !ok {
				return
			}
			answer(f, msg)
		}
	}
}

// obedient answers like a good capsule: its jobs reverse their input.
func obedient(f *fakeCapsule, msg any) {
	switch m := msg.(type) {
	case capsule.Command:
		f.say(capsule.FrameReply, capsule.Reply{ID: m.ID, MemoryEpoch: f.epoch()})
	case capsule.Reserve:
		f.say(capsule.FrameReserved, capsule.Reserved{Ticket: m.Ticket, OK: true, Offset: capsules.InputAt, Length: m.Bytes})
	case capsule.Run:
		p := make([]byte, m.Length)
		_ = f.m.Read(uint32(m.Offset), p)
		for i, j := 0, len(p)-1; i < j; i, j = i+1, j-1 {
			p[i], p[j] = p[j], p[i]
		}
		_ = f.m.Write(uint32(m.Offset), p)
		f.say(capsule.FrameRunDone, capsule.RunDone{Ticket: m.Ticket, Offset: m.Offset, Length: m.Length})
	}
}

// openFakeCapsule opens a capsule on f and ends it with the test.
func openFakeCapsule(t *testing.T, f *fakeCapsule, cfg capsule.Config) *capsule.Capsule {
	t.Helper()
	cfg.Codec = capsules.JSONCodec{}
	c, err := capsule.Open(t.Context(), f, cfg)
	require.NoError(t, err)
	return c
}

func end(c *capsule.Capsule) {
	c.Kill(errors.New("end of the test"))
	<-c.Done()
}
