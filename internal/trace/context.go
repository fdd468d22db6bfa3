package trace

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"

	"inos/internal/fault"
)

// TraceID and SpanID are the ids of the W3C Trace Context; all zeros means none.
type (
	TraceID [16]byte
	SpanID  [8]byte
)

func (t TraceID) String() string { return hex.EncodeToString(t[:]) }
func (s SpanID) String() string  { return hex.EncodeToString(s[:]) }

// IsZero reports whether s is the zero SpanID, which is no span.
func (s SpanID) IsZero() bool { return s == SpanID{} }

// Context is the position of a piece of work in a trace: the content of a traceparent header
// (W3C Trace Context, level 1). The zero Context is in no trace.
type Context struct {
	Trace TraceID
	Span  SpanID
	Flags byte // bit 0: sampled
}

// ErrParent says that a traceparent is malformed. Final.
var ErrParent = fault.Internal("trace: malformed traceparent")

// Parse reads a traceparent. Of a newer version it reads the fields of version 00. Errors match
// ErrParent.
func Parse(s string) (c Context, err error) {
	bad := func() (Context, error) { return Context{}, fmt.Errorf("%w: %.60q", ErrParent, s) }
	if len(s) < 55 || s[2] != '-' || s[35] != '-' || s[52] != '-' || s[:2] == "ff" ||
		len(s) > 55 && (s[:2] == "00" || s[55] != '-') {
		return bad()
	}
	var version, flags [1]byte
	for _, part := range []struct {
		to   []byte
		from string
	}{{version[:], s[:2]}, {c.Trace[:], s[3:35]}, {c.Span[:], s[36:52]}, {flags[:], s[53:55]}} {
		for i := range part.from {
			if d := part.from[i]; (d < '0' || d > '9') && (d < 'a' || d > 'f') {
				return bad()
			}
		}
		if _, err := hex.Decode(part.to, []byte(part.from)); err != nil {
			return bad()
		}
	}
	if c.Trace == (TraceID{}) || c.Span.IsZero() {
		return bad()
	}
	c.Flags = flags[0]
	return c, nil
}

// Valid reports whether c is in a trace.
func (c Context) Valid() bool { return c.Trace != TraceID{} && !c.Span.IsZero() }

// String returns the traceparent, version 00.
func (c Context) String() string {
	var b [55]byte
	copy(b[:], "00-")
	hex.Encode(b[3:], c.Trace[:])
	b[35] = '-'
	hex.Encode(b[36:], c.Span[:])
	b[52] = '-'
	hex.Encode(b[53:], []byte{c.Flags})
	return string(b[:])
}

// Child returns the context of a new span below c. Below the zero Context it starts a trace. The
// span id is random, not secret.
func (c Context) Child() Context {
	if !c.Valid() {
		c = Context{Trace: newTraceID(), Flags: 1}
	}
	for {
		v := rand.Uint64()
		for i := range c.Span {
			c.Span[i] = byte(v >> (8 * i))
		}
		if !c.Span.IsZero() {
			return c
		}
	}
}

func newTraceID() (id TraceID) {
	for id == (TraceID{}) {
		a, b := rand.Uint64(), rand.Uint64()
		for i := range 8 {
			id[i], id[i+8] = byte(a>>(8*i)), byte(b>>(8*i))
		}
	}
	return id
}
