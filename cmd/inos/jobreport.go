package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"inos/internal/fault"
	"inos/internal/kernel"
	"inos/internal/kernel/placement"
	"inos/internal/trace"
)

// errInterrupted: a signal ended the job.
var errInterrupted = fault.Internal("interrupted")

// jobError is the end of a job, or of one run of a capsule, without a result.
type jobError struct {
	err       error
	code      string // stable, as InosError.code in the console
	retryable bool
	exit      int
}

// endOf makes a jobError of err.
func endOf(err error) *jobError {
	ended := &jobError{err: err, exit: jobExit(err)}
	e := fault.Find(err)
	if ended.exit == exitInterrupted {
		e = fault.Cancelled.With(e.Retryable())
	}
	ended.code, ended.retryable = e.Code(), e.Retryable()
	return ended
}

func (e *jobError) Error() string { return fmt.Sprintf("%v (%s)", e.err, e.code) }
func (e *jobError) Unwrap() error { return e.err }

// jobReport is the JSON object of inos job --json. Times are in milliseconds.
type jobReport struct {
	Event      string           `json:"event"` // "job"
	JobID      string           `json:"jobId,omitempty"`
	OK         bool             `json:"ok"`
	Exit       int              `json:"exit"`              // the program's exit code
	Code       string           `json:"code,omitempty"`    // of the error
	Message    string           `json:"message,omitempty"` // of the error
	Retryable  bool             `json:"retryable,omitempty"`
	Node       string           `json:"node,omitempty"`
	Attempts   int              `json:"attempts"`
	QueuedMs   float64          `json:"queuedMs"`
	RunMs      float64          `json:"runMs"`
	TotalMs    float64          `json:"totalMs"`
	Cost       uint64           `json:"cost"`    // microcredits that were paid
	Paid       bool             `json:"paid"`    // for the run that gave the output
	Fetched    uint64           `json:"fetched"` // bytes of capsule that were transferred
	OutputCID  string           `json:"outputCid,omitempty"`
	Text       *string          `json:"text,omitempty"`   // the output where it is UTF-8
	Output     []byte           `json:"output,omitempty"` // otherwise, in base64
	Considered []consideredNode `json:"considered,omitempty"`
	Spans      []spanRow        `json:"spans,omitempty"`
}

type consideredNode struct {
	Node      string  `json:"node"`
	LatencyMs float64 `json:"latencyMs"`
	Cost      uint64  `json:"cost"` // microcredits a second
	Score     float64 `json:"score"`
}

type spanRow struct {
	Name       string  `json:"name"`
	StartMs    float64 `json:"startMs"` // after the first
	DurationMs float64 `json:"durationMs"`
	Node       string  `json:"node"`
	Code       string  `json:"code,omitempty"`
	ID         string  `json:"id"`
	Parent     string  `json:"parent,omitempty"`
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// report prints the end of the job and returns its error, with the exit code.
func (c *jobCmd) report(s *session, n *native, out kernel.Outcome, err error) error {
	if s.ctx.Err() != nil && err != nil {
		err = errInterrupted
	}
	r := jobReport{Event: "job", JobID: out.JobID, OK: err == nil, Node: string(out.Node), Attempts: len(out.Attempts),
		QueuedMs: ms(out.Queued), RunMs: ms(out.Run), TotalMs: ms(out.Total), Cost: out.Cost, Paid: len(out.Receipt) > 0, Fetched: out.Fetched, OutputCID: out.OutputCID}
	if err == nil && (c.Output != "-" || !c.JSON) {
		if err := writeOutput(c.Output, s, out.Output); err != nil {
			return err
		}
	} else if err == nil && utf8.Valid(out.Output) {
		text := string(out.Output)
		r.Text = &text
	} else if err == nil {
		r.Output = out.Output
	}
	var spans []trace.Span
	if c.Trace {
		spans = n.Kernel.Trace(out.JobID)
	}
	if !c.Quiet && !c.JSON {
		explain(s.diag, out)
		if c.Trace {
			writeTrace(s.diag, spans)
		}
	}
	if err != nil {
		ended := endOf(err)
		r.Exit, r.Code, r.Message, r.Retryable = ended.exit, ended.code, err.Error(), ended.retryable
		err = ended
	}
	if c.JSON {
		for _, k := range out.Decision.Top {
			r.Considered = append(r.Considered, consideredNode{string(k.Node.ID), ms(k.Node.Latency), k.Node.CreditCost, k.Score})
		}
		for _, p := range spans {
			r.Spans = append(r.Spans, spanRow{p.Name, ms(p.Start.Sub(spans[0].Start)), ms(p.Duration), string(p.Node), p.Code, fmt.Sprint(p.ID), fmt.Sprint(p.Parent)})
		}
		printJSON(s.out, r)
	}
	return err
}

// explain prints the considered nodes, and the node that ran the job.
func explain(w io.Writer, out kernel.Outcome) {
	for _, c := range out.Decision.Top {
		fmt.Fprintf(w, "candidate %s  latency %v  cost %d  score %.4g\n", c.Node.ID, c.Node.Latency, c.Node.CreditCost, c.Score)
	}
	if out.Node == "" {
		return
	}
	where := string(out.Node)
	if why := placement.Reason(out.Decision.Explanation, out.Node); why != "" {
		where += " (" + why + ")"
	}
	paid := ""
	if len(out.Receipt) == 0 {
		paid = " (unpaid)"
	}
	fmt.Fprintf(w, "ran on %s: queued %v, run %v, total %v, cost %d microcredits%s, capsule bytes moved %d\n",
		where, out.Queued, out.Run, out.Total, out.Cost, paid, out.Fetched)
}

// writeTrace prints spans as a table, in order of start.
func writeTrace(w io.Writer, spans []trace.Span) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "SPAN\tSTART\tDURATION\tNODE\tCODE\tID\tPARENT")
	for _, s := range spans {
		fmt.Fprintf(t, "%s\t%v\t%v\t%s\t%s\t%s\t%s\n", s.Name, s.Start.Sub(spans[0].Start), s.Duration, s.Node, s.Code, s.ID, s.Parent)
	}
	_ = t.Flush() // errors are ignored, as for every diagnostic
}
