//! The control block that capsule and host share. internal/capsule/layout.go
//! holds the same numbers and says what each means; a Go test compares them.

pub const CONTROL_MAGIC: u32 = 0x534F_4E49;
pub const ABI_VERSION: u32 = 3;

// Written by the capsule.
pub const OFF_MAGIC: u32 = 0;
pub const OFF_ABI_VERSION: u32 = 4;
pub const OFF_COMMAND_BASE: u32 = 8;
pub const OFF_COMMAND_SIZE: u32 = 12;
pub const OFF_EVENT_BASE: u32 = 16;
pub const OFF_EVENT_SIZE: u32 = 20;
pub const OFF_STATE: u32 = 24;
pub const OFF_PANIC_LENGTH: u32 = 28;
pub const OFF_BUSY: u32 = 32;
pub const OFF_FROZEN: u32 = 36;

// Written by the host.
pub const OFF_KILL: u32 = 64;
pub const OFF_MEMORY_EPOCH: u32 = 68;
pub const OFF_HEARTBEAT_MS: u32 = 72;
pub const OFF_CLOCK: u32 = 80;
pub const OFF_FREEZE: u32 = 88;
pub const OFF_LOOKS: u32 = 92;

// The rings' counters, each side's on cache lines of its own.
pub const OFF_COMMAND_HEAD: u32 = 128;
pub const OFF_COMMAND_TAIL: u32 = 192;
pub const OFF_COMMAND_DOORBELL: u32 = 196;
pub const OFF_COMMAND_WAITING: u32 = 200;
pub const OFF_EVENT_HEAD: u32 = 256;
pub const OFF_EVENT_SPACE: u32 = 260;
pub const OFF_EVENT_TAIL: u32 = 320;
pub const OFF_EVENT_DOORBELL: u32 = 324;
pub const OFF_EVENT_WAITING: u32 = 328;

// Both sides write it: it has a line of its own.
pub const OFF_EVENT_LISTENING: u32 = 384;

pub const OFF_PANIC_TEXT: u32 = 448;
pub const PANIC_TEXT_CAP: u32 = 576;
pub const CONTROL_SIZE: u32 = 1024;

pub const FRAME_HEADER: u32 = 8;
pub const MIN_RING_BYTES: u32 = 4096;

// The state word.
pub const STATE_BOOTING: u32 = 0;
pub const STATE_RUNNING: u32 = 1;
pub const STATE_PAUSED: u32 = 2;
pub const STATE_STOPPED: u32 = 3;
pub const STATE_PANICKED: u32 = 4;
pub const STATE_TRAPPED: u32 = 5;

// Answers in the frozen word, beside the number of the request.
pub const FREEZE_DONE: u32 = 1;
pub const FREEZE_NOT_PAUSED: u32 = 2;
pub const FREEZE_IN_JOB: u32 = 3;

// What a frame's payload is.
pub const FRAME_COMMAND: u16 = 1;
pub const FRAME_REPLY: u16 = 2;
pub const FRAME_HEARTBEAT: u16 = 3;
pub const FRAME_RESERVE: u16 = 4;
pub const FRAME_RESERVED: u16 = 5;
pub const FRAME_RUN: u16 = 6;
pub const FRAME_RUN_DONE: u16 = 7;
pub const FRAME_RELEASE: u16 = 8;
pub const FRAME_LOG: u16 = 9;
pub const FRAME_PROGRESS: u16 = 10;
pub const FRAME_DATA: u16 = 16;
