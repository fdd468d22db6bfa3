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
	queued  = 4096 // spans waiting; more are dropped
	batched = 512
	every   = time.Second
	// lastTimeout is how long after the end of Serve's context spans may still be sent.
	lastTimeout = 10 * time.Second
	// A collector that says "later" (429, 502, 503, 504) is asked again, and what is queued
	// waits meanwhile. The first pause is as long as a Retry-After says, at least retryFirst.
	retryFirst   = time.Second
	retryLongest = 30 * time.Second
	retryFor     = time.Minute
)

// ErrURL says that the collector's address is none. Final.
var ErrURL = fault.Internal("otlp: not an http or https address")

// Exporter sends spans in the background. Give what a trace.Recorder hears to
// Offer and run Serve.
type Exporter struct {
	client  otlptrace.Client
	waiting chan trace.Span
	dropped atomic.Uint64
	failed  func(error)
}

// InEnvironment reports whether OpenTelemetry's variables name a collector, and do not
// switch it off.
func InEnvironment() bool {
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") || os.Getenv("OTEL_TRACES_EXPORTER") == "none" {
		return false
	}
	return os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
}

// New makes an exporter to the collector at base: "/v1/traces" is added unless the
// address has a path. An empty base leaves the address to OpenTelemetry's variables, which
// say the rest in any case: headers, compression, certificates, time-outs
// (OTEL_EXPORTER_OTLP_*). failed hears of batches that could not be sent; nil ignores
// them. Errors match ErrURL, or say which variables contradict each other.
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
	if err := client.Start(context.Background()); err != nil { // sends nothing, and looks at what it was told
		return nil, fmt.Errorf("otlp: %w", err)
	}
	if failed == nil {
		failed = func(error) {}
	}
	return &Exporter{client: client, waiting: make(chan trace.Span, queued), failed: failed}, nil
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

// Serve sends batches until ctx ends, then what is left, for at most lastTimeout.
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
	defer func() { _ = e.client.Stop(sending) }() // it only ends what is being sent
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
