package bridge

import (
	"context"
	"syscall/js"

	"inos/internal/console"
	"inos/internal/identity"
	"inos/internal/kernel"
	"inos/internal/trace"
)

// trace answers inos.trace(jobId): the spans of the job's trace on every node that took part, in
// order of start. startMs counts from the first; each node's clock is its own.
func (a *api) trace(ctx context.Context, args []js.Value) (any, error) {
	id, err := text("trace", "jobId", arg(args, 0))
	if err != nil {
		return nil, err
	}
	spans := a.cfg.Kernel.Trace(id)
	if len(spans) == 0 {
		return nil, failed(kernel.ErrNoJob, "trace: no span of a job %.60q is remembered here", id)
	}
	ids := make([]identity.PeerID, 0, len(spans))
	for _, s := range spans {
		ids = append(ids, s.Node)
	}
	return viewSpans(spans, a.names(ctx, ids)), nil
}

func viewSpans(spans []trace.Span, names map[identity.PeerID]string) []console.SpanRow {
	rows := []console.SpanRow{}
	for _, s := range spans {
		row := console.SpanRow{Name: s.Name, Node: nameOf(names, s.Node), StartMs: console.Ms(s.Start.Sub(spans[0].Start)), DurationMs: console.Ms(s.Duration), Code: s.Code, Trace: s.Trace.String(), Span: s.ID.String()}
		if !s.Parent.IsZero() {
			row.Parent = s.Parent.String()
		}
		rows = append(rows, row)
	}
	return rows
}
