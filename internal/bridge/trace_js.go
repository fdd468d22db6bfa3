package bridge

import (
	"context"
	"syscall/js"

	"inos/internal/identity"
	"inos/internal/trace"
)

// spanView is one row of inos.trace, for console.table.
type spanView struct {
	Name       string  `json:"name"`
	Node       string  `json:"node"`
	StartMs    float64 `json:"startMs"`
	DurationMs float64 `json:"durationMs"`
	Code       string  `json:"code"`
	Trace      string  `json:"trace"`
	Span       string  `json:"span"`
	Parent     string  `json:"parent"`
}

// trace answers inos.trace(jobId): the spans of the job's trace on every node that
// had part in it, in order of start. startMs counts from the first; each node's
// clock is its own.
func (a *api) trace(ctx context.Context, args []js.Value) (any, error) {
	id, err := text("trace", "jobId", arg(args, 0))
	if err != nil {
		return nil, err
	}
	return viewSpans(a.cfg.Kernel.Trace(id), a.names(ctx)), nil
}

func viewSpans(spans []trace.Span, names map[identity.PeerID]string) []spanView {
	rows := []spanView{}
	for _, s := range spans {
		row := spanView{Name: s.Name, Node: nameOf(names, s.Node), StartMs: ms(s.Start.Sub(spans[0].Start)), DurationMs: ms(s.Duration), Code: s.Code, Trace: s.Trace.String(), Span: s.ID.String()}
		if !s.Parent.IsZero() {
			row.Parent = s.Parent.String()
		}
		rows = append(rows, row)
	}
	return rows
}
