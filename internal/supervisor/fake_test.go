package supervisor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"inos/internal/capsule"
	"inos/internal/testkit/capsules"
)

// fakeRuntime runs capsules that are Go functions; they speak the real rings
// over a heap. What a capsule does is its "wasm": words, see program.main.
type fakeRuntime struct {
	mu       sync.Mutex
	running  int
	opened   int
	programs []*program // in the order of their start
}

func (rt *fakeRuntime) Compile(ctx context.Context, wasm []byte) (capsule.Module, error) {
	text, ok := strings.CutPrefix(string(wasm), "wasm ")
	if !ok {
		return nil, capsule.ErrNotWasm
	}
	return &fakeModule{rt: rt, text: text, cid: capsule.SumCID(wasm)}, nil
}

// Compiled finds nothing: the fake compiles each time.
func (rt *fakeRuntime) Compiled(capsule.CID) (capsule.Module, bool) { return nil, false }

func (rt *fakeRuntime) Close() error { return nil }

// counts are how many run now and how many were ever started.
func (rt *fakeRuntime) counts() (running, opened int) {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	return rt.running, rt.opened
}

// last is the newest instance.
func (rt *fakeRuntime) last() *program {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	return rt.programs[len(rt.programs)-1]
}

type fakeModule struct {
	rt   *fakeRuntime
	text string
	cid  capsule.CID
}

func (m *fakeModule) Info() capsule.ModuleInfo {
	return capsule.ModuleInfo{CID: m.cid, MinPages: 1, MaxPages: 16}
}

func (m *fakeModule) Instantiate(_ context.Context, epoch uint32, limit uint64) (capsule.Instance, error) {
	p := &program{rt: m.rt, text: m.text, limit: limit, HeapMemory: capsules.NewHeapMemory(capsule.PageSize, least(limit, map[bool]uint64{true: capsule.PageSize}[strings.Contains(m.text, "cramped")])), bell: make(chan struct{}, 1),
		quit: make(chan struct{}), done: make(chan struct{}), hush: make(chan bool), crash: make(chan string)}
	p.SetWord(capsule.OffMemoryEpoch, epoch)
	m.rt.mu.Lock()
	m.rt.running++
	m.rt.opened++
	m.rt.programs = append(m.rt.programs, p)
	m.rt.mu.Unlock()
	go func() {
		p.err = p.main()
		if strings.Contains(p.text, "lingers") {
			time.Sleep(2 * time.Second) // as a terminated Worker does
		}
		m.rt.mu.Lock()
		m.rt.running--
		m.rt.mu.Unlock()
		p.ring()
		close(p.done)
	}()
	return p, nil
}

// program is one instance. Only its own goroutine writes its fields.
type program struct {
	rt    *fakeRuntime
	text  string
	limit uint64
	*capsules.HeapMemory
	bell, quit, done chan struct{}
	hush             chan bool   // true: no more heartbeats
	crash            chan string // panic now, with this text
	once             sync.Once
	err              error

	mute     bool
	paused   bool
	sequence uint64
	jobs     uint64
	args     []string
	beatAt   time.Time
	released map[uint64]bool
	kept     []byte // by "put"
}

func (p *program) Memory() capsule.Memory    { return p.HeapMemory }
func (p *program) Control() uint32           { return capsules.ControlBlock }
func (p *program) Doorbell() <-chan struct{} { return p.bell }
func (p *program) Done() <-chan struct{}     { return p.done }
func (p *program) Err() error {
	select {
	case <-p.done:
		return p.err
	default:
		return nil
	}
}
func (p *program) Kill() { p.once.Do(func() { close(p.quit) }) }

func (p *program) ring() {
	select {
	case p.bell <- struct{}{}:
	default:
	}
}

func (p *program) say(kind capsule.FrameKind, msg any) {
	b, err := json.Marshal(msg)
	if err != nil {
		panic(err)
	}
	for !p.Push(kind, b) {
		p.ring()
		select {
		case <-time.After(time.Millisecond):
		case <-p.quit:
			return
		}
	}
	p.ring()
}

// emit sends a KiB up the stream and waits for room as long as it takes.
func (p *program) emit(b byte) {
	frame := bytes.Repeat([]byte{b}, 1024)
	for !p.Push(capsule.FrameData, frame) {
		p.ring()
		select {
		case <-time.After(time.Millisecond):
		case <-p.quit:
			return
		}
	}
	p.ring()
}

func (p *program) beat() {
	p.beatAt = time.Now().Add(time.Duration(p.Word(capsule.OffHeartbeatMs)) * time.Millisecond)
	if p.mute {
		return
	}
	p.sequence++
	h := capsule.Heartbeat{Status: capsule.Healthy, Sequence: p.sequence, MemoryEpoch: p.Word(capsule.OffMemoryEpoch),
		Paused: p.paused, JobsDone: p.jobs, MemoryUsage: p.Len()}
	switch {
	case strings.Contains(p.text, "sick"):
		h.Status = capsule.Degraded
	case strings.Contains(p.text, "hungry"), strings.Contains(p.text, "cramped"):
		h.WantedBytes = 4 * capsule.PageSize
		h.NeedsMoreMem = p.Len() < h.WantedBytes
	case strings.Contains(p.text, "greedy"):
		h.WantedBytes, h.NeedsMoreMem = 100*capsule.PageSize, true
	case strings.Contains(p.text, "crowded"):
		h.Congested = p.sequence%4 < 2
	}
	p.say(capsule.FrameHeartbeat, h)
}

// main understands in its text: "silent" never beats, "dies" panics before its
// first beat, "returns" ends after it, "restless" takes no pause, "sick", "hungry",
// "greedy" and "crowded" say so, "cramped" is hungry in a memory that does not grow.
func (p *program) main() error {
	p.released = map[uint64]bool{}
	for _, word := range strings.Fields(p.text) {
		switch word {
		case "silent":
			<-p.quit
			return capsule.ErrKilled
		case "dies":
			return p.panics("dead on arrival")
		}
	}
	// The host sets the epoch and the interval after it has found the block.
	for p.Word(capsule.OffHeartbeatMs) == 0 {
		select {
		case <-time.After(time.Millisecond):
		case <-p.quit:
			return capsule.ErrKilled
		}
	}
	p.beat()
	if strings.Contains(p.text, "returns") {
		return nil
	}
	for {
		if err := p.wait(time.Time{}); err != nil {
			return err
		}
		for kind, payload, ok := p.Pop(); ok; kind, payload, ok = p.Pop() {
			if err := p.handle(kind, payload); errors.Is(err, errReturned) {
				return nil
			} else if err != nil {
				return err
			}
		}
	}
}

// errReturned makes main return.
var errReturned = errors.New("returned")

// wait sleeps until the host rings or until passes; a heartbeat goes out when
// one is due.
func (p *program) wait(until time.Time) error {
	next := p.beatAt
	if !until.IsZero() && until.Before(next) {
		next = until
	}
	t := time.NewTimer(time.Until(next))
	defer t.Stop()
	select {
	case <-p.Rung:
	case <-t.C:
		if !time.Now().Before(p.beatAt) {
			p.beat()
		}
	case p.mute = <-p.hush:
	case text := <-p.crash:
		return p.panics(text)
	case <-p.quit:
		return capsule.ErrKilled
	}
	return nil
}

func (p *program) panics(text string) error {
	_ = p.Write(capsules.ControlBlock+capsule.OffPanicText, []byte(text))
	p.SetWord(capsule.OffPanicLength, uint32(len(text)))
	p.SetWord(capsule.OffState, capsule.StatePanicked)
	return fmt.Errorf("%w: unreachable", capsule.ErrTrap)
}

func (p *program) handle(kind capsule.FrameKind, payload []byte) error {
	if kind == capsule.FrameData {
		return nil
	}
	msg, err := capsules.JSONCodec{}.Heard(kind, payload)
	if err != nil {
		panic(err)
	}
	switch m := msg.(type) {
	case capsule.Command:
		switch m.Type {
		case capsule.Spawn:
			p.args = m.Spawn.Args
		case capsule.Pause:
			if strings.Contains(p.text, "restless") {
				return nil
			}
			p.paused = true
		case capsule.Resume:
			p.paused = false
		}
		p.say(capsule.FrameReply, capsule.Reply{ID: m.ID, MemoryEpoch: p.Word(capsule.OffMemoryEpoch)})
	case capsule.Reserve:
		p.say(capsule.FrameReserved, capsule.Reserved{Ticket: m.Ticket, OK: true, Offset: capsules.InputAt, Length: m.Bytes})
	case capsule.Release:
		p.released[m.Ticket] = true
	case capsule.Run:
		return p.run(m)
	}
	return nil
}

// run does a job: "echo", "panic", "return", "spin" (deaf and mute until it is
// killed), "put" (keeps its input), "get" (returns it), "sleep" (for args[0], unless cancelled), "emit", "args" (it was spawned with).
func (p *program) run(m capsule.Run) error {
	done := capsule.RunDone{Ticket: m.Ticket, Offset: m.Offset, Length: m.Length}
	switch m.Method {
	case "panic":
		return p.panics("job " + strings.Join(m.Args, " "))
	case "return":
		return errReturned
	case "spin":
		<-p.quit
		return capsule.ErrKilled
	case "sleep":
		d, _ := time.ParseDuration(m.Args[0])
		until := time.Now().Add(d)
		for time.Now().Before(until) && !p.released[m.Ticket] {
			if err := p.wait(until); err != nil {
				return err
			}
			for kind, payload, ok := p.Pop(); ok; kind, payload, ok = p.Pop() {
				if err := p.handle(kind, payload); err != nil {
					return err
				}
			}
		}
		p.say(capsule.FrameProgress, capsule.Progress{Ticket: m.Ticket, Done: 1, Total: 2})
	case "emit": // frames of a KiB, as many as args[0] says; a second argument makes it return
		frames, _ := strconv.Atoi(m.Args[0])
		for n := range frames {
			p.emit(byte(n))
		}
		if len(m.Args) > 1 {
			return errReturned
		}
	case "args":
		text := strings.Join(p.args, " ")
		if err := p.Write(uint32(m.Offset), []byte(text)); err != nil {
			return err
		}
		done.Length = uint64(len(text))
	case "put":
		p.kept = make([]byte, m.Length)
		if err := p.Read(uint32(m.Offset), p.kept); err != nil {
			return err
		}
		done.Length = 0
	case "get":
		if err := p.Write(capsules.InputAt, p.kept); err != nil {
			return err
		}
		done.Offset, done.Length = capsules.InputAt, uint64(len(p.kept))
	case "echo":
	default:
		done.Code = capsule.RunUnknownMethod
	}
	p.jobs++
	p.say(capsule.FrameRunDone, done)
	return nil
}
