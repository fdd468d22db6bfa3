package capsule

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"unicode/utf8"
)

// MaxRingBytes is the largest ring a host accepts: it keeps a buffer of that
// size for each.
const MaxRingBytes = 4 << 20

// ControlBlock is a capsule's control block as its host sees it. The ring
// bounds are read once, at Attach, and never again. Only one goroutine uses it.
type ControlBlock struct {
	mem      Memory
	base     uint32
	abi      uint32
	commands Producer
	events   Consumer
}

// span is a range of a capsule's memory.
type span struct{ off, size uint64 }

func (s span) overlaps(t span) bool { return s.off < t.off+t.size && t.off < s.off+s.size }

// Attach reads and checks the control block at control. The capsule must have
// left StateBooting. Errors match ErrNoControlBlock, ErrABIVersion or
// ErrOutOfBounds, all final for the instance.
func Attach(mem Memory, control uint32) (*ControlBlock, error) {
	block := span{uint64(control), ControlSize}
	if control == 0 || control%64 != 0 || block.off+block.size > mem.Len() {
		return nil, fmt.Errorf("%w at %d: it must be 64-byte aligned and lie within %d bytes", ErrNoControlBlock, control, mem.Len())
	}
	var head [OffBusy]byte
	if err := mem.Read(control, head[:]); err != nil {
		return nil, err
	}
	word := func(off int) uint32 { return binary.LittleEndian.Uint32(head[off:]) }
	if m := word(OffMagic); m != ControlMagic {
		return nil, fmt.Errorf("%w at %d: magic %#x, want %#x", ErrNoControlBlock, control, m, ControlMagic)
	}
	if v := word(OffABIVersion); v != ABIVersion {
		return nil, &ABIError{Capsule: v, Host: ABIVersion}
	}
	commands := span{uint64(word(OffCommandBase)), uint64(word(OffCommandSize))}
	events := span{uint64(word(OffEventBase)), uint64(word(OffEventSize))}
	for _, r := range []struct {
		name string
		span
	}{{"command", commands}, {"event", events}} {
		switch {
		case r.size < MinRingBytes || r.size > MaxRingBytes || bits.OnesCount64(r.size) != 1:
			return nil, fmt.Errorf("%w: %s ring of %d bytes, want a power of two from %d to %d",
				ErrNoControlBlock, r.name, r.size, MinRingBytes, MaxRingBytes)
		case r.off%8 != 0 || r.off == 0 || r.off+r.size > mem.Len():
			return nil, fmt.Errorf("%w: %s ring at %d, %d bytes, is misaligned or outside the %d bytes of memory",
				ErrNoControlBlock, r.name, r.off, r.size, mem.Len())
		case r.overlaps(block):
			return nil, fmt.Errorf("%w: %s ring overlaps the control block", ErrNoControlBlock, r.name)
		}
	}
	if commands.overlaps(events) {
		return nil, fmt.Errorf("%w: the rings overlap", ErrNoControlBlock)
	}
	cb := &ControlBlock{mem: mem, base: control, abi: word(OffABIVersion)}
	cb.commands = Producer{ring: newRing(mem, "command", commands), head: control + OffCommandHead,
		tail: control + OffCommandTail, doorbell: control + OffCommandDoorbell, waiting: control + OffCommandWaiting}
	cb.events = Consumer{ring: newRing(mem, "event", events), head: control + OffEventHead,
		tail: control + OffEventTail, space: control + OffEventSpace, waiting: control + OffEventWaiting}
	if err := cb.commands.resume(); err != nil {
		return nil, err
	}
	if err := cb.events.resume(); err != nil {
		return nil, err
	}
	return cb, nil
}

// ABI is the version the capsule speaks.
func (cb *ControlBlock) ABI() uint32 { return cb.abi }

// Commands is the ring to the capsule, Events the ring from it.
func (cb *ControlBlock) Commands() *Producer { return &cb.commands }

// Events is the ring from the capsule.
func (cb *ControlBlock) Events() *Consumer { return &cb.events }

// State reads the state word.
func (cb *ControlBlock) State() (uint32, error) { return cb.mem.Load32(cb.base + OffState) }

// Busy reports whether the capsule says that it has stream data to work on.
func (cb *ControlBlock) Busy() (bool, error) {
	busy, err := cb.mem.Load32(cb.base + OffBusy)
	return busy != 0, err
}

// SetClock stores the time, in Unix nanoseconds.
func (cb *ControlBlock) SetClock(unixNano int64) error {
	return cb.mem.Store64(cb.base+OffClock, uint64(unixNano))
}

// SetHeartbeat stores how often to send a heartbeat, in milliseconds.
func (cb *ControlBlock) SetHeartbeat(ms uint32) error {
	return cb.mem.Store32(cb.base+OffHeartbeatMs, ms)
}

// SetEpoch stores the memory epoch.
func (cb *ControlBlock) SetEpoch(epoch uint32) error {
	return cb.mem.Store32(cb.base+OffMemoryEpoch, epoch)
}

// SetLooks stores how often the capsule looks at its doorbell before it sleeps.
func (cb *ControlBlock) SetLooks(n uint32) error { return cb.mem.Store32(cb.base+OffLooks, n) }

// PanicText copies the panic text out. It is valid UTF-8 whatever the capsule wrote.
func (cb *ControlBlock) PanicText() string {
	n, err := cb.mem.Load32(cb.base + OffPanicLength)
	if err != nil {
		return ""
	}
	text := make([]byte, min(n, PanicTextCap))
	if cb.mem.Read(cb.base+OffPanicText, text) != nil {
		return ""
	}
	if utf8.Valid(text) {
		return string(text)
	}
	return string([]rune(string(text)))
}

// overlaps reports whether [off, off+size) touches the block or a ring: no data
// may lie there.
func (cb *ControlBlock) overlaps(off, size uint64) bool {
	s := span{off, size}
	return s.overlaps(span{uint64(cb.base), ControlSize}) || s.overlaps(cb.commands.span) || s.overlaps(cb.events.span)
}
