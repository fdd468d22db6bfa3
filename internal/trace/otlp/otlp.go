//go:build !js

// Package otlp sends spans to an OpenTelemetry collector with OpenTelemetry's own exporter: OTLP
// over HTTP (opentelemetry.io/docs/specs/otlp). It is native only: a browser's kernel sends its
// spans to a native node instead.
package otlp

import (
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"inos/internal/identity"
	"inos/internal/trace"
)

// byNode converts spans, grouped by the node that made them: one resource per node.
func byNode(spans []trace.Span) (all []*tracepb.ResourceSpans) {
	at := make(map[identity.PeerID]*tracepb.ScopeSpans)
	for _, s := range spans {
		in, ok := at[s.Node]
		if !ok {
			in = &tracepb.ScopeSpans{Scope: &commonpb.InstrumentationScope{Name: "inos/internal/kernel"}}
			at[s.Node] = in
			all = append(all, &tracepb.ResourceSpans{
				Resource: &resourcepb.Resource{Attributes: []*commonpb.KeyValue{
					text("service.name", "inos"), text("service.instance.id", string(s.Node)),
				}},
				ScopeSpans: []*tracepb.ScopeSpans{in},
			})
		}
		in.Spans = append(in.Spans, convert(s))
	}
	return all
}

func convert(s trace.Span) *tracepb.Span {
	out := &tracepb.Span{
		TraceId: s.Trace[:], SpanId: s.ID[:], Name: s.Name, Kind: tracepb.Span_SPAN_KIND_INTERNAL,
		StartTimeUnixNano: uint64(s.Start.UnixNano()),
		EndTimeUnixNano:   uint64(s.Start.Add(s.Duration).UnixNano()),
		Status:            &tracepb.Status{Code: tracepb.Status_STATUS_CODE_OK},
	}
	if !s.Parent.IsZero() {
		out.ParentSpanId = s.Parent[:]
	}
	if s.JobID != "" {
		out.Attributes = append(out.Attributes, text("inos.job.id", s.JobID))
	}
	if s.Code != "" {
		out.Status = &tracepb.Status{Code: tracepb.Status_STATUS_CODE_ERROR, Message: s.Code}
	}
	switch s.Name {
	case "serve":
		out.Kind = tracepb.Span_SPAN_KIND_SERVER
	case "transfer":
		out.Kind = tracepb.Span_SPAN_KIND_CLIENT
	}
	return out
}

func text(key, v string) *commonpb.KeyValue {
	return &commonpb.KeyValue{Key: key, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: v}}}
}
