package capsule

// The control block: what a capsule and its host share. The capsule exports its
// address as the WebAssembly global "inos_control". Every word is a
// little-endian u32, accessed atomically, unless noted. Words that different
// sides write lie on different 64-byte cache lines. internal/generate makes
// capsules/sdk/src/layout.rs and web/src/capsule/layout.ts of this file.
const (
	// ControlMagic is "INOS" read as a little-endian u32.
	ControlMagic uint32 = 0x534F4E49
	// ABIVersion is the only version this host speaks.
	ABIVersion uint32 = 3

	// Written by the capsule before inos_run first looks at a ring.
	OffMagic       = 0
	OffABIVersion  = 4
	OffCommandBase = 8  // absolute byte offset of the command ring's data
	OffCommandSize = 12 // bytes, a power of two, at least MinRingBytes
	OffEventBase   = 16
	OffEventSize   = 20
	OffState       = 24 // StateBooting...; the host's Worker writes StateTrapped
	OffPanicLength = 28 // bytes of panic text at OffPanicText
	OffBusy        = 32 // 1 while it has stream data to work on, from before it frees its room in the ring
	OffFrozen      = 36 // the last freeze request's number times 4, plus FreezeDone...

	// Written by the host.
	OffKill        = 64 // 1: stop now
	OffMemoryEpoch = 68
	OffHeartbeatMs = 72 // how often to send a heartbeat, 0 means 250
	OffClock       = 80 // u64, Unix nanoseconds, refreshed at every command and every ClockInterval while there is a job or stream data
	// Not 0: the number of a request to touch nothing until the word changes, so
	// that the memory can be copied. The command doorbell rings with it.
	OffFreeze = 88
	// How often an idle capsule looks at its doorbell before it sleeps on it, each
	// look some 30 ns; 0 where sleeping and waking are cheap.
	OffLooks = 92

	// Head and tail count bytes and run freely modulo 2^32; tail-head is what is
	// unread. The consumer writes head, the producer writes tail and then adds one to the
	// doorbell. The host then notifies the doorbell, on which the capsule sleeps. The host
	// sleeps on Listening instead: it sets the word, compares the doorbell with what it
	// last read there, and sleeps while the word is set; a capsule that has rung and
	// finds it set clears and notifies it. So one notify wakes once, and a busy host
	// costs none: a notify takes longer than a frame. A producer that found the ring full sets Waiting, looks
	// at head again, and sleeps: the capsule on Space, the host on its doorbell as
	// always. The consumer bumps Space, or rings the host, after it has moved head
	// if it then finds Waiting set.
	OffCommandHead     = 128 // capsule writes
	OffCommandTail     = 192 // host writes
	OffCommandDoorbell = 196 // host writes, capsule waits
	OffCommandWaiting  = 200 // host writes: 1 while it has more than there is room for
	OffEventHead       = 256 // host writes
	OffEventSpace      = 260 // host writes, capsule waits when its ring is full
	OffEventTail       = 320 // capsule writes
	OffEventDoorbell   = 324 // capsule writes
	OffEventWaiting    = 328 // capsule writes: 1 while it waits for Space

	// Both sides write it: it has a line of its own.
	OffEventListening = 384 // host sets and sleeps on it, capsule clears it

	OffPanicText = 448
	PanicTextCap = 576
	ControlSize  = 1024 // bytes; the block is 64-byte aligned

	// FrameHeader precedes every frame: u32 payload length, u16 kind, u16 zero.
	// Frames start 8-byte aligned; payloads are padded to 8 bytes. A frame may
	// wrap around the ring's end at any byte.
	FrameHeader  = 8
	MinRingBytes = 4096
	// A frame's payload is at most half its ring less the header.

	// PageSize is the granularity of a WebAssembly memory in bytes.
	PageSize = 64 << 10
)

// restartZeros are the words that are zero when a capsule starts on a copied memory.
var restartZeros = [...]uint32{OffPanicLength, OffFrozen, OffEventWaiting, OffCommandWaiting, OffEventListening, OffKill, OffFreeze}

// The state word.
const (
	StateBooting uint32 = iota
	StateRunning
	StatePaused
	StateStopped  // inos_run returned
	StatePanicked // the panic handler ran; the text is in the block
	StateTrapped  // the host's side caught a trap
)

// The answers to a freeze request, in the low two bits of OffFrozen.
const (
	FreezeDone      uint32 = 1
	FreezeNotPaused uint32 = 2
	FreezeInJob     uint32 = 3 // its stack is not in the memory
)

// FrameKind says which message a frame's payload is.
type FrameKind uint16

// Kinds 1 to 15 are Cap'n Proto messages of schema/system/v1.
const (
	FrameCommand   FrameKind = 1  // LifecycleCmd, host to capsule
	FrameReply     FrameKind = 2  // LifecycleReply, capsule to host
	FrameHeartbeat FrameKind = 3  // HealthHeartbeat, capsule to host
	FrameReserve   FrameKind = 4  // ReserveCmd, host to capsule
	FrameReserved  FrameKind = 5  // ReserveReply, capsule to host
	FrameRun       FrameKind = 6  // RunCmd, host to capsule
	FrameRunDone   FrameKind = 7  // RunReply, capsule to host
	FrameRelease   FrameKind = 8  // ReleaseCmd, host to capsule
	FrameLog       FrameKind = 9  // LogEvent, capsule to host
	FrameProgress  FrameKind = 10 // ProgressEvent, capsule to host
	FrameData      FrameKind = 16 // opaque bytes of a stream, both ways
)
