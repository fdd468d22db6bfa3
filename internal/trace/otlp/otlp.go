//go:build !js

// Package otlp sends spans to an OpenTelemetry collector: OTLP over HTTP, in its
// JSON encoding (opentelemetry.io/docs/specs/otlp), which needs no library. It is
// native only: a browser's kernel ships its spans to a native node instead.
package otlp

import (
	"encoding/json"
	"strconv"

	"inos/internal/identity"
	"inos/internal/trace"
)

// The messages of ExportTraceServiceRequest, as far as they are used. In OTLP's
// JSON ids are hexadecimal and 64-bit integers are text.
type (
	request struct {
		ResourceSpans []resourceSpans `json:"resourceSpans"`
	}
	resourceSpans struct {
		Resource   resource     `json:"resource"`
		ScopeSpans []scopeSpans `json:"scopeSpans"`
	}
	resource struct {
		Attributes []attribute `json:"attributes"`
	}
	scopeSpans struct {
		Scope scope  `json:"scope"`
		Spans []span `json:"spans"`
	}
	scope struct {
		Name string `json:"name"`
	}
	span struct {
		TraceID    string      `json:"traceId"`
		SpanID     string      `json:"spanId"`
		ParentID   string      `json:"parentSpanId,omitempty"`
		Name       string      `json:"name"`
		Kind       int         `json:"kind"`
		Start      string      `json:"startTimeUnixNano"`
		End        string      `json:"endTimeUnixNano"`
		Attributes []attribute `json:"attributes,omitempty"`
		Status     status      `json:"status"`
	}
	status struct {
		Code    int    `json:"code"`
		Message string `json:"message,omitempty"`
	}
	attribute struct {
		Key   string `json:"key"`
		Value value  `json:"value"`
	}
	value struct {
		Text string `json:"stringValue"`
	}
)

// The figures of SpanKind and StatusCode.
const (
	kindInternal, kindServer, kindClient = 1, 2, 3
	statusOK, statusError                = 1, 2
)

// encode writes spans, grouped by the node that made them: one resource each.
func encode(spans []trace.Span) ([]byte, error) {
	var req request
	at := make(map[identity.PeerID]int)
	for _, s := range spans {
		i, ok := at[s.Node]
		if !ok {
			i = len(req.ResourceSpans)
			at[s.Node] = i
			req.ResourceSpans = append(req.ResourceSpans, resourceSpans{
				Resource:   resource{[]attribute{text("service.name", "inos"), text("service.instance.id", string(s.Node))}},
				ScopeSpans: []scopeSpans{{Scope: scope{"inos/internal/kernel"}}},
			})
		}
		in := &req.ResourceSpans[i].ScopeSpans[0]
		in.Spans = append(in.Spans, convert(s))
	}
	return json.Marshal(req)
}

func convert(s trace.Span) span {
	out := span{
		TraceID: s.Trace.String(), SpanID: s.ID.String(), Name: s.Name, Kind: kindInternal,
		Start:  strconv.FormatInt(s.Start.UnixNano(), 10),
		End:    strconv.FormatInt(s.Start.Add(s.Duration).UnixNano(), 10),
		Status: status{Code: statusOK},
	}
	if !s.Parent.IsZero() {
		out.ParentID = s.Parent.String()
	}
	if s.JobID != "" {
		out.Attributes = append(out.Attributes, text("inos.job.id", s.JobID))
	}
	if s.Code != "" {
		out.Status = status{statusError, s.Code}
	}
	switch s.Name {
	case "serve":
		out.Kind = kindServer
	case "transfer":
		out.Kind = kindClient
	}
	return out
}

func text(key, v string) attribute { return attribute{key, value{v}} }
