package governance

import "time"

// Envelope carries every job and every message that crosses a node boundary.
type Envelope struct {
	ID        string // UUIDv7
	Type      string // "service:action:v1"
	Timestamp time.Time
	Metadata  Metadata
	Payload   Payload
	Version   uint32

	// Wire is the envelope as it arrived, nil for one made here. Encoding starts from it, so
	// that fields newer than this program are forwarded. The envelope owns it; nobody writes to
	// it.
	Wire []byte
}

// Metadata is the DNA: who asks, on whose behalf, within which trace, and which ledger pays.
type Metadata struct {
	ModuleID       string
	UserID         string
	DeviceID       string
	TraceParent    string // W3C Trace Context
	TraceState     string
	AuthToken      string
	CreditLedgerID string // unchecked: Admit says whether it is valid
	Version        uint32
}

// Payload is the body of an Envelope. TypeID is the Cap'n Proto type id of the
// root struct in Data, 0 for opaque bytes.
type Payload struct {
	TypeID uint64
	Data   []byte
}
