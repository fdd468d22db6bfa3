// Package wire converts the kernel's plain structs to Cap'n Proto messages of schema/system/v1
// and back. It is the only importer of the schema: the rest of the kernel never sees a generated
// type. Decoders accept bytes from anyone: they bound traversal and depth per message, copy what
// they return and never panic.
package wire

import (
	"fmt"
	"time"

	capnp "capnproto.org/go/capnp/v3"

	"inos/internal/fault"
)

// ErrMalformed says that bytes are not the expected message. Final.
var ErrMalformed = fault.Internal("wire: malformed message")

const (
	// depthLimit is how deep pointers may nest; our deepest message nests 4.
	depthLimit = 16
	// traverseSlack is the read allowance beyond four times the message's own length (an
	// envelope is read once and copied once). It bounds what a reader visits in a message whose
	// pointers alias.
	traverseSlack = 4096
)

// root is the method set of every generated struct type.
type root interface {
	~capnp.StructKind
	Message() *capnp.Message
}

// readRoot is a generated ReadRoot function.
type readRoot[T root] func(*capnp.Message) (T, error)

// build makes a message with one root struct, which fill writes.
func build[T root](newRoot func(*capnp.Segment) (T, error), fill func(T, *put)) ([]byte, error) {
	_, seg, err := capnp.NewMessage(capnp.SingleSegment(nil))
	if err != nil {
		return nil, fmt.Errorf("wire: %w", err)
	}
	t, err := newRoot(seg)
	if err != nil {
		return nil, fmt.Errorf("wire: %w", err)
	}
	var p put
	fill(t, &p)
	return finish(t.Message(), p.err)
}

func finish(msg *capnp.Message, err error) ([]byte, error) {
	if err != nil {
		return nil, fmt.Errorf("wire: %w", err)
	}
	b, err := msg.Marshal()
	if err != nil {
		return nil, fmt.Errorf("wire: %w", err)
	}
	return b, nil
}

// parse reads a message's root and passes it to read. Errors of read's getters are returned as
// ErrMalformed.
func parse[T root](data []byte, readRoot readRoot[T], read func(T, *get)) error {
	msg, err := open(data)
	if err != nil {
		return err
	}
	t, err := readRoot(msg)
	if err != nil {
		return fmt.Errorf("%w: %v", ErrMalformed, err)
	}
	if !capnp.Struct(t).IsValid() {
		return fmt.Errorf("%w: no root", ErrMalformed)
	}
	var g get
	read(t, &g)
	if g.err != nil {
		return fmt.Errorf("%w: %v", ErrMalformed, g.err)
	}
	return nil
}

func open(data []byte) (*capnp.Message, error) {
	msg, err := capnp.Unmarshal(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrMalformed, err)
	}
	msg.TraverseLimit = 4*uint64(len(data)) + traverseSlack
	msg.DepthLimit = depthLimit
	return msg, nil
}

// put collects the first error of a series of setters. They fail only when a message outgrows
// what Cap'n Proto can address.
type put struct{ err error }

func (p *put) do(err error) {
	if p.err == nil {
		p.err = err
	}
}

// texts fills a text list made by newList; an empty list stays a null pointer.
func (p *put) texts(newList func(int32) (capnp.TextList, error), texts []string) {
	if len(texts) == 0 || p.err != nil {
		return
	}
	l, err := newList(int32(len(texts)))
	p.do(err)
	for i := 0; i < len(texts) && p.err == nil; i++ {
		p.do(l.Set(i, texts[i]))
	}
}

// get collects the first error of a series of getters.
type get struct{ err error }

func (g *get) text(s string, err error) string {
	g.keep(err)
	return s
}

// data returns a copy, since the message may alias a buffer that its owner reuses.
func (g *get) data(b []byte, err error) []byte {
	g.keep(err)
	if len(b) == 0 {
		return nil
	}
	return append([]byte(nil), b...)
}

func (g *get) texts(l capnp.TextList, err error) []string {
	g.keep(err)
	if err != nil || l.Len() == 0 {
		return nil
	}
	out := make([]string, l.Len())
	for i := range out {
		s, err := l.At(i)
		g.keep(err)
		out[i] = s
	}
	return out
}

func (g *get) keep(err error) {
	if g.err == nil {
		g.err = err
	}
}

// nanos returns t as it is on the wire: Unix nanoseconds, 0 for the zero time.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func instant(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}
