//go:build !js

package otlp

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"inos/internal/fault"
	"inos/internal/trace"
)

const (
	queued      = 4096 // spans waiting; more are dropped
	batched     = 512
	every       = time.Second
	sendTimeout = 10 * time.Second
)

// ErrURL says that the collector's address is none. Final.
var ErrURL = fault.Internal("otlp: not an http or https address")

// Exporter sends spans in the background. Give what a trace.Recorder hears to
// Offer and run Serve.
type Exporter struct {
	target  string
	client  *http.Client
	waiting chan trace.Span
	dropped atomic.Uint64
	failed  func(error)
}

// New makes an exporter to the collector at base: "/v1/traces" is added unless the
// address has a path. failed hears of batches that could not be sent; nil ignores
// them. Errors match ErrURL.
func New(base string, failed func(error)) (*Exporter, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%w: %.200q", ErrURL, base)
	}
	if strings.Trim(u.Path, "/") == "" {
		u.Path = "/v1/traces"
	}
	if failed == nil {
		failed = func(error) {}
	}
	return &Exporter{target: u.String(), client: &http.Client{Timeout: sendTimeout}, waiting: make(chan trace.Span, queued), failed: failed}, nil
}

// Offer queues a span. It never blocks: what does not fit is counted and dropped.
func (e *Exporter) Offer(s trace.Span) {
	select {
	case e.waiting <- s:
	default:
		e.dropped.Add(1)
	}
}

// Dropped counts the spans that were not sent.
func (e *Exporter) Dropped() uint64 { return e.dropped.Load() }

// Serve sends batches until ctx ends, then what is left.
func (e *Exporter) Serve(ctx context.Context) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	var batch []trace.Span
	flush := func(ctx context.Context) {
		if len(batch) == 0 {
			return
		}
		if err := e.send(ctx, batch); err != nil {
			e.dropped.Add(uint64(len(batch)))
			e.failed(err)
		}
		batch = batch[:0]
	}
	for {
		select {
		case s := <-e.waiting:
			if batch = append(batch, s); len(batch) == batched {
				flush(ctx)
			}
		case <-tick.C:
			flush(ctx)
		case <-ctx.Done():
			for len(e.waiting) > 0 {
				batch = append(batch, <-e.waiting)
			}
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendTimeout)
			defer cancel()
			flush(last)
			return ctx.Err()
		}
	}
}

func (e *Exporter) send(ctx context.Context, spans []trace.Span) error {
	body, err := encode(spans)
	if err != nil {
		return fmt.Errorf("otlp: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.target, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("otlp: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := e.client.Do(req)
	if err != nil {
		return fmt.Errorf("otlp: %w", err)
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)) // so that the connection is kept
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("otlp: collector answered %s", res.Status)
	}
	return nil
}
