//go:build !js

package otlp

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"

	"inos/internal/fault"
	"inos/internal/trace"
)

const (
	queued  = 4096 // spans waiting; further ones are dropped
	batched = 512
	every   = time.Second
	// lastTimeout is how long spans may still be sent after the end of Serve's context.
	lastTimeout = 10 * time.Second
	// A collector that answers "later" (429, 502, 503, 504) is retried, and queued spans wait
	// meanwhile. The first pause is the Retry-After, at least retryFirst.
	retryFirst   = time.Second
	retryLongest = 30 * time.Second
	retryFor     = time.Minute
)

// ErrURL says that the collector's address is not an http or https URL. Final.
var ErrURL = fault.Internal("otlp: not an http or https address")

// Exporter sends spans in the background. The caller passes the spans of a trace.Recorder to
// Offer, and runs Serve.
type Exporter struct {
	client  otlptrace.Client
	waiting chan trace.Span
	dropped atomic.Uint64
	failed  func(error)
}

// InEnvironment reports whether OpenTelemetry's variables name a collector and do not disable
// it.
func InEnvironment() bool {
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") || os.Getenv("OTEL_TRACES_EXPORTER") == "none" {
		return false
	}
	return os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
}

// New returns an exporter to the collector at base. It adds "/v1/traces" unless the address has
// a path. An empty base leaves the address to OpenTelemetry's variables. These set the rest in
// any case: headers, compression, certificates, time-outs (OTEL_EXPORTER_OTLP_*). failed is
// called with the error of each batch that could not be sent; nil ignores them. Errors match
// ErrURL, or say which variables contradict each other.
func New(base string, failed func(error)) (*Exporter, error) {
	options := []otlptracehttp.Option{otlptracehttp.WithRetry(otlptracehttp.RetryConfig{
		Enabled: true, InitialInterval: retryFirst, MaxInterval: retryLongest, MaxElapsedTime: retryFor,
	})}
	if base != "" {
		u, err := url.Parse(base)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, fmt.Errorf("%w: %.200q", ErrURL, base)
		}
		if strings.Trim(u.Path, "/") == "" {
			u.Path = "/v1/traces"
		}
		options = append(options, otlptracehttp.WithEndpointURL(u.String()))
	}
	client := otlptracehttp.NewClient(options...)
	if err := client.Start(context.Background()); err != nil { // sends nothing; checks the configuration
		return nil, fmt.Errorf("otlp: %w", err)
	}
	if failed == nil {
		failed = func(error) {}
	}
	return &Exporter{client: client, waiting: make(chan trace.Span, queued), failed: failed}, nil
}

// Offer queues a span. It never blocks: when the queue is full it counts and drops the span.
func (e *Exporter) Offer(s trace.Span) {
	select {
	case e.waiting <- s:
	default:
		e.dropped.Add(1)
	}
}

// Dropped returns how many spans were not sent.
func (e *Exporter) Dropped() uint64 { return e.dropped.Load() }

// Serve sends batches until ctx ends, then the rest, for at most lastTimeout. It blocks until
// then.
func (e *Exporter) Serve(ctx context.Context) error {
	sending, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		select {
		case <-time.After(lastTimeout):
			cancel()
		case <-sending.Done():
		}
	})()
	defer func() { _ = e.client.Stop(sending) }() // only aborts what is being sent
	tick := time.NewTicker(every)
	defer tick.Stop()
	var batch []trace.Span
	flush := func() {
		if len(batch) == 0 {
			return
		}
		if err := e.client.UploadTraces(sending, byNode(batch)); err != nil {
			e.dropped.Add(uint64(len(batch)))
			e.failed(fmt.Errorf("otlp: %w", err))
		}
		batch = batch[:0]
	}
	for {
		select {
		case s := <-e.waiting:
			if batch = append(batch, s); len(batch) == batched {
				flush()
			}
		case <-tick.C:
			flush()
		case <-ctx.Done():
			for len(e.waiting) > 0 {
				batch = append(batch, <-e.waiting)
			}
			flush()
			return ctx.Err()
		}
	}
}
