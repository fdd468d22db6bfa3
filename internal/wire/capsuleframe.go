package wire

import (
	"errors"
	"fmt"

	"inos/internal/governance"
	systemv1 "inos/schema/system/v1"
)

// CapsuleFrame is one frame of the answer on /inos/capsule/1: exactly one field is set.
type CapsuleFrame struct {
	Have    []byte // a signed manifest
	Chunk   *CapsuleChunk
	Missing string // the CID that the node does not have
}

// CapsuleWant asks for a capsule, starting at a chunk. It is the payload of an Envelope.
type CapsuleWant struct {
	CID       string
	FromChunk uint32
}

// WithFetch returns env with w as its payload.
func WithFetch(env governance.Envelope, w CapsuleWant) (governance.Envelope, error) {
	data, err := build(systemv1.NewRootCapsuleWant, func(s systemv1.CapsuleWant, p *put) {
		p.do(s.SetCid(w.CID))
		s.SetFromChunk(w.FromChunk)
	})
	if err != nil {
		return governance.Envelope{}, err
	}
	env.Payload = governance.Payload{TypeID: systemv1.CapsuleWant_TypeID, Data: data}
	return env, nil
}

// FetchOf returns the request in env's payload. Errors match ErrMalformed.
func FetchOf(env governance.Envelope) (w CapsuleWant, err error) {
	if env.Payload.TypeID != systemv1.CapsuleWant_TypeID {
		return w, fmt.Errorf("%w: payload type %#x is not a CapsuleWant", ErrMalformed, env.Payload.TypeID)
	}
	err = parse(env.Payload.Data, systemv1.ReadRootCapsuleWant, func(s systemv1.CapsuleWant, g *get) {
		w = CapsuleWant{CID: g.text(s.Cid()), FromChunk: s.FromChunk()}
	})
	return w, err
}

// CapsuleChunk is one chunk of a capsule's bytes.
type CapsuleChunk struct {
	Index uint32
	Data  []byte
}

// EncodeCapsuleFrame writes f. An f with no field set is an error.
func EncodeCapsuleFrame(f CapsuleFrame) ([]byte, error) {
	return build(systemv1.NewRootCapsuleFrame, func(s systemv1.CapsuleFrame, p *put) {
		switch {
		case f.Have != nil:
			h, err := s.NewHave()
			p.do(err)
			if p.err == nil {
				p.do(h.SetManifest(f.Have))
			}
		case f.Chunk != nil:
			c, err := s.NewChunk()
			p.do(err)
			if p.err == nil {
				c.SetIndex(f.Chunk.Index)
				p.do(c.SetData(f.Chunk.Data))
			}
		case f.Missing != "":
			p.do(s.SetMissing(f.Missing))
		default:
			p.do(errors.New("empty capsule frame"))
		}
	})
}

// DecodeCapsuleFrame reads one frame. Errors match ErrMalformed.
func DecodeCapsuleFrame(data []byte) (CapsuleFrame, error) {
	var f CapsuleFrame
	err := parse(data, systemv1.ReadRootCapsuleFrame, func(s systemv1.CapsuleFrame, g *get) {
		switch w := s.Which(); w {
		case systemv1.CapsuleFrame_Which_have:
			r, err := s.Have()
			g.keep(err)
			f.Have = notNil(g.data(r.Manifest()))
		case systemv1.CapsuleFrame_Which_chunk:
			r, err := s.Chunk()
			g.keep(err)
			f.Chunk = &CapsuleChunk{Index: r.Index(), Data: g.data(r.Data())}
		case systemv1.CapsuleFrame_Which_missing:
			f.Missing = g.text(s.Missing())
		default:
			g.keep(fmt.Errorf("unknown capsule frame %d", w))
		}
	})
	if err != nil {
		return CapsuleFrame{}, err
	}
	return f, nil
}
