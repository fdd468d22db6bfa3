package wire

import (
	"fmt"
	"time"

	capnp "capnproto.org/go/capnp/v3"

	"inos/internal/identity"
	"inos/internal/trace"
	systemv1 "inos/schema/system/v1"
)

// MaxSpans bounds the spans of one message, in both directions.
const MaxSpans = 512

// EncodeSpans writes one message of /inos/trace/1. It drops spans past MaxSpans.
func EncodeSpans(spans []trace.Span) ([]byte, error) {
	return build(systemv1.NewRootSpanBatch, func(s systemv1.SpanBatch, p *put) { putSpans(p, s.NewSpans, spans) })
}

// DecodeSpans reads a message of /inos/trace/1. Errors match ErrMalformed.
func DecodeSpans(data []byte) (spans []trace.Span, err error) {
	err = parse(data, systemv1.ReadRootSpanBatch, func(s systemv1.SpanBatch, g *get) { spans = getSpans(g)(s.Spans()) })
	if err != nil {
		return nil, err
	}
	return spans, nil
}

func putSpans(p *put, newList func(int32) (systemv1.Span_List, error), spans []trace.Span) {
	spans = spans[:min(len(spans), MaxSpans)]
	if len(spans) == 0 || p.err != nil {
		return
	}
	l, err := newList(int32(len(spans)))
	p.do(err)
	for i := 0; i < len(spans) && p.err == nil; i++ {
		s, x := l.At(i), &spans[i]
		p.do(s.SetTraceId(x.Trace[:]))
		p.do(s.SetSpanId(x.ID[:]))
		if !x.Parent.IsZero() {
			p.do(s.SetParentId(x.Parent[:]))
		}
		p.do(s.SetName(x.Name))
		p.do(s.SetNode(string(x.Node)))
		p.do(s.SetJobId(x.JobID))
		s.SetStart(nanos(x.Start))
		s.SetDurationNs(x.Duration.Nanoseconds())
		p.do(s.SetCode(x.Code))
	}
}

// getSpans reads a list. It takes nothing from a list longer than MaxSpans.
func getSpans(g *get) func(systemv1.Span_List, error) []trace.Span {
	return func(l systemv1.Span_List, err error) []trace.Span {
		g.keep(err)
		switch {
		case err != nil || !capnp.List(l).IsValid() || l.Len() == 0:
			return nil
		case l.Len() > MaxSpans:
			g.keep(fmt.Errorf("%d spans", l.Len()))
			return nil
		}
		out := make([]trace.Span, l.Len())
		for i := range out {
			s, x := l.At(i), &out[i]
			id(g, x.Trace[:])(s.TraceId())
			id(g, x.ID[:])(s.SpanId())
			if s.HasParentId() {
				id(g, x.Parent[:])(s.ParentId())
			}
			x.Name = g.text(s.Name())
			x.Node = identity.PeerID(g.text(s.Node()))
			x.JobID = g.text(s.JobId())
			x.Start = instant(s.Start())
			x.Duration = time.Duration(s.DurationNs())
			x.Code = g.text(s.Code())
		}
		return out
	}
}

// id reads bytes of a fixed length.
func id(g *get, to []byte) func([]byte, error) {
	return func(b []byte, err error) {
		g.keep(err)
		if err == nil && len(b) != len(to) {
			g.keep(fmt.Errorf("id of %d bytes, want %d", len(b), len(to)))
			return
		}
		copy(to, b)
	}
}
