// Package monitor reports a node's state to its operator: /healthz and /readyz for probes,
// /metrics for Prometheus, and systemd's notifications. It reads the node and changes nothing.
// Native only.
package monitor

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"inos/internal/bounded"
	"inos/internal/credit"
	"inos/internal/kernel"
	"inos/internal/kernel/lifecycle"
)

// answerWithin is the time limit for the kernel's loop to answer a probe.
const answerWithin = 5 * time.Second

// Node is what a Monitor reads. *kernel.Kernel implements it.
type Node interface {
	Status(ctx context.Context) (kernel.Status, error)
	Draining() bool
	CapsuleList() []lifecycle.CapsuleInfo
	Subscribe(buffer int) (events <-chan kernel.Event, cancel func())
}

// Config of a Monitor. All fields are required.
type Config struct {
	Node    Node
	Ledger  *credit.Ledger
	Version string
}

// Monitor counts a node's events from New on. The caller ends it with Serve or Stop.
type Monitor struct {
	cfg      Config
	registry *prometheus.Registry
	events   <-chan kernel.Event
	cancel   func()
	jobs     jobMetrics
}

// New subscribes to the node's events.
func New(cfg Config) *Monitor {
	m := &Monitor{cfg: cfg, registry: prometheus.NewRegistry(), jobs: newJobMetrics()}
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		&nodeCollector{cfg}, m.jobs.ended, m.jobs.rejected, m.jobs.run, m.jobs.cost, m.jobs.missed)
	m.events, m.cancel = cfg.Node.Subscribe(eventsWaiting)
	return m
}

// Stop ends the subscription of a Monitor that is not served; Alive still works.
func (m *Monitor) Stop() { m.cancel() }

// Serve answers on l, and counts, until ctx ends. It blocks until then and closes l.
func (m *Monitor) Serve(ctx context.Context, l net.Listener) error {
	counting, cancel := context.WithCancel(ctx)
	counted := make(chan struct{})
	go func() {
		defer close(counted)
		m.count(counting)
	}()
	server := bounded.Server(m.Handler())
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	err := server.Serve(bounded.Listen(l))
	stop()
	cancel()
	<-counted
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Handler answers /healthz, /readyz and /metrics.
func (m *Monitor) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 30 * time.Second}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) { m.answer(w, r, false) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) { m.answer(w, r, true) })
	return mux
}

// health is the answer to a probe.
type health struct {
	Status string `json:"status"` // ok, unwritable, draining or stuck
	Peers  int    `json:"peers"`
	Slots  int    `json:"slots"`
	Free   int    `json:"freeSlots"`
	UpMs   int64  `json:"upMs"`
	Error  string `json:"error,omitempty"`
}

// answer responds 200 for a node whose kernel answers and, if ready is set, takes work.
func (m *Monitor) answer(w http.ResponseWriter, r *http.Request, ready bool) {
	code, h := http.StatusOK, health{Status: "ok"}
	st, err := m.Alive(r.Context())
	switch {
	case err != nil:
		code, h.Status, h.Error = http.StatusServiceUnavailable, "stuck", err.Error()
	case m.cfg.Node.Draining():
		h.Status = "draining"
	case st.Unwritable != nil:
		h.Status, h.Error = "unwritable", st.Unwritable.Error()
	}
	if ready && h.Status != "ok" {
		code = http.StatusServiceUnavailable
	}
	if err == nil {
		h.Peers, h.Slots, h.Free, h.UpMs = st.Peers, st.Slots, st.FreeSlots, time.Since(st.Started).Milliseconds()
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(h) // the client may have left
}

// Alive asks the kernel's loop for its status.
func (m *Monitor) Alive(ctx context.Context) (kernel.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	type said struct {
		st  kernel.Status
		err error
	}
	answer := make(chan said, 1)
	go func() { // so that a stuck loop does not block the caller
		st, err := m.cfg.Node.Status(ctx)
		answer <- said{st, err}
	}()
	select {
	case s := <-answer:
		return s.st, s.err
	case <-ctx.Done():
		return kernel.Status{}, ctx.Err()
	}
}
