// The control block of a capsule, as internal/capsule/layout.go has it. A test
// of internal/capsule/sab compares the two: change them together.

export const ControlMagic = 0x534f4e49;
export const ABIVersion = 3;

// Written by the capsule.
export const OffMagic = 0;
export const OffABIVersion = 4;
export const OffCommandBase = 8;
export const OffCommandSize = 12;
export const OffEventBase = 16;
export const OffEventSize = 20;
export const OffState = 24;
export const OffPanicLength = 28;
export const OffBusy = 32;
export const OffFrozen = 36;

// Written by the host.
export const OffKill = 64;
export const OffMemoryEpoch = 68;
export const OffHeartbeatMs = 72;
export const OffClock = 80;
export const OffFreeze = 88;
export const OffLooks = 92;

// The two rings.
export const OffCommandHead = 128;
export const OffCommandTail = 192;
export const OffCommandDoorbell = 196;
export const OffCommandWaiting = 200;
export const OffEventHead = 256;
export const OffEventSpace = 260;
export const OffEventTail = 320;
export const OffEventDoorbell = 324;
export const OffEventWaiting = 328;

export const OffEventListening = 384;
export const OffPanicText = 448;
export const PanicTextCap = 576;
export const ControlSize = 1024;

// The state word.
export const StateBooting = 0;
export const StateRunning = 1;
export const StatePaused = 2;
export const StateStopped = 3;
export const StatePanicked = 4;
export const StateTrapped = 5;

export const PageBytes = 65536;
