package kernel

import (
	"context"
	"sync"
	"time"

	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/trace"
)

// tracing is one job's trace on this node. It travels in the job's context, since the matchmaker
// between Dispatch and the run does not know it.
type tracing struct {
	k      *Kernel
	job    string
	parent trace.Context

	mine *spanList // what this node returns with a job of another node; nil for own jobs
}

// spanList is the bounded list of the spans that another node gets of its job.
type spanList struct {
	mu    sync.Mutex
	spans []trace.Span
}

func (l *spanList) add(s trace.Span) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.spans) < trace.MaxReturned {
		l.spans = append(l.spans, s)
	}
}

func (l *spanList) list() []trace.Span {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.spans
}

type tracingKey struct{}

// parentOf is the caller's trace context: governance has checked it. Where it is empty a trace
// starts here.
func parentOf(env governance.Envelope) trace.Context {
	c, err := trace.Parse(env.Metadata.TraceParent)
	if err != nil {
		return trace.Context{}
	}
	return c
}

// traced puts sub's trace into ctx and begins its dispatch.
func (k *Kernel) traced(ctx context.Context, sub *Submission, started time.Time) (below context.Context, end func(code string)) {
	t := &tracing{k: k, job: clipID(sub.Job.ID), parent: parentOf(sub.Envelope)}
	root := t.parent
	below, done := t.begin(ctx, "dispatch", started)
	return below, func(code string) {
		done(code)
		if sub.Root != "" && root.Valid() {
			k.cfg.Trace.Add(trace.Span{Trace: root.Trace, ID: root.Span, Name: sub.Root, Node: k.cfg.Self, JobID: t.job,
				Start: started, Duration: time.Since(started), Code: code})
		}
	}
}

// served puts the trace of a job of another node into ctx. list holds the spans to return with the
// result.
func (k *Kernel) served(ctx context.Context, call mesh.JobCall, started time.Time) (below context.Context, end func(code string) []trace.Span) {
	t := &tracing{k: k, job: clipID(call.Job.ID), parent: parentOf(call.Envelope), mine: &spanList{}}
	below, done := t.begin(ctx, "serve", started)
	return below, func(code string) []trace.Span {
		done(code)
		return t.mine.list()
	}
}

// clipID bounds an id that governance has not checked yet.
func clipID(id string) string { return id[:min(len(id), trace.MaxName)] }

// span begins a span and returns the context below it, and its end, which takes the code of a
// failure. Without a trace in ctx both do nothing.
func span(ctx context.Context, name string) (below context.Context, end func(code string)) {
	t, _ := ctx.Value(tracingKey{}).(*tracing)
	if t == nil {
		return ctx, func(string) {}
	}
	return t.begin(ctx, name, t.k.cfg.Now())
}

// spanSince records a span that began at started and has just succeeded.
func spanSince(ctx context.Context, name string, started time.Time) {
	if t, _ := ctx.Value(tracingKey{}).(*tracing); t != nil {
		_, end := t.begin(ctx, name, started)
		end("")
	}
}

func (t *tracing) begin(ctx context.Context, name string, started time.Time) (below context.Context, end func(code string)) {
	open := trace.Start(t.parent, name, t.job, started)
	inside := *t
	inside.parent = open.Context()
	return context.WithValue(ctx, tracingKey{}, &inside), func(code string) {
		s := open.End(t.k.cfg.Self, code, t.k.cfg.Now())
		s.Served = t.mine != nil
		t.k.cfg.Trace.Add(s)
		t.mine.add(s)
	}
}

// sending returns env as it leaves this node: its parent is the span of ctx.
func sending(ctx context.Context, env governance.Envelope) governance.Envelope {
	if t, _ := ctx.Value(tracingKey{}).(*tracing); t != nil {
		env.Metadata.TraceParent = t.parent.String()
	}
	return env
}

// returned records the spans that node returned with the job of ctx.
func returned(ctx context.Context, node identity.PeerID, spans []trace.Span) {
	t, _ := ctx.Value(tracingKey{}).(*tracing)
	if t == nil || len(spans) == 0 {
		return
	}
	t.k.cfg.Trace.Add(trace.Foreign(spans, node, t.parent.Trace, t.job)...)
}

// Trace returns the spans of a job's trace that this node knows, its own and those that other nodes
// returned with the result, in order of start. It returns none when the job is unknown or too old.
func (k *Kernel) Trace(jobID string) []trace.Span { return k.cfg.Trace.Job(jobID) }

// Spans is the recorder behind Trace, for exporters.
func (k *Kernel) Spans() *trace.Recorder { return k.cfg.Trace }

// spanCode is the code of a span that ended with out and err.
func spanCode(out mesh.JobOutcome, err error) string {
	switch {
	case out.Code == mesh.JobOK && err == nil:
		return ""
	case out.Code == mesh.JobOK:
		return codeOf(err).String()
	}
	return out.Code.String()
}
