package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"inos/cmd/internal/node"
	"inos/internal/mesh/p2p"
	"inos/internal/monitor"
	"inos/internal/trace/otlp"
)

type nodeCmd struct{ nodeFlags }

// Run runs a node until it is told to stop.
func (c *nodeCmd) Run(s *session) error {
	c.takeLogs(s.diag)
	n, err := start(context.WithoutCancel(s.ctx), c.nodeFlags, s.diag)
	if err != nil {
		return c.failed(s.diag, err)
	}
	n.sayReach()
	n.announce(s.out, n.ready())
	return c.failed(s.diag, n.untilTold(s.ctx, time.Duration(c.DrainTimeout)))
}

// sayReach warns when no other machine can reach the node.
func (n *native) sayReach() {
	if onlyHere(n.mesh.Addrs()) {
		n.logger.Warn("only this machine can reach this node: it listens on loopback. " +
			"--listen /ip4/0.0.0.0/udp/4001/quic-v1/webtransport, with UDP port 4001 open, lets others in")
	}
}

// onlyHere reports whether all of a node's multiaddrs are loopback addresses.
func onlyHere(addrs []string) bool {
	return !slices.ContainsFunc(addrs, func(addr string) bool {
		return !strings.HasPrefix(addr, "/ip4/127.") && !strings.HasPrefix(addr, "/ip6/::1/")
	})
}

// native is a node that runs in this process.
type native struct {
	*node.Node
	mesh    *p2p.Mesh
	logger  *slog.Logger
	watched string         // the monitor's address; empty: there is none
	spans   *otlp.Exporter // nil: none
	undo    []func() error
	cancel  context.CancelFunc
	ended   chan struct{} // closed when the node has ended by itself
	err     error         // the error of that end; set before ended is closed
	watch   sync.WaitGroup
	closing sync.Once
}

// start builds a node and runs it until ctx ends. Its log goes to diag.
func start(ctx context.Context, f nodeFlags, diag io.Writer) (*native, error) {
	n := &native{ended: make(chan struct{}), logger: f.logger(diag)}
	if err := n.build(f); err != nil {
		return nil, errors.Join(err, n.close())
	}
	ctx, n.cancel = context.WithCancel(ctx)
	n.watch.Go(func() { n.log(ctx) })
	if n.spans != nil {
		n.watch.Go(func() { _ = n.spans.Serve(ctx) }) // it ends only with ctx
	}
	if f.Policy != "" {
		hangup, try := make(chan os.Signal, 1), make(chan os.Signal, 1)
		signal.Notify(hangup, syscall.SIGHUP) // from here on SIGHUP does not end the program
		notifyTry(try)
		n.watch.Go(func() { n.reloadOn(ctx, hangup, try, f) })
	}
	if err := n.monitor(ctx, string(f.Monitor)); err != nil {
		n.cancel()
		n.watch.Wait()
		return nil, errors.Join(err, n.close())
	}
	go func() {
		n.err = n.Run(ctx, n.mesh)
		close(n.ended)
	}()
	return n, nil
}

// wait blocks until the node has ended and everything is closed.
func (n *native) wait() error {
	<-n.ended
	n.cancel()
	n.watch.Wait()
	return errors.Join(ignoreCancel(n.err), n.close())
}

// stop ends the node; wait returns soon after.
func (n *native) stop() { n.closing.Do(n.cancel) }

func ignoreCancel(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// readyEvent is the first line that a node prints on standard output.
type readyEvent struct {
	Event    string   `json:"event"`
	PeerID   string   `json:"peerId"`
	LedgerID string   `json:"ledgerId"`
	Addrs    []string `json:"addrs"`
	HTTP     string   `json:"http,omitempty"`
	Monitor  string   `json:"monitor,omitempty"` // /healthz, /readyz and /metrics are below it
}

func (n *native) ready() readyEvent {
	return readyEvent{Event: "ready", PeerID: string(n.mesh.Self()), LedgerID: string(n.Signer.Ledger()), Addrs: n.mesh.Addrs(), Monitor: n.watched}
}

// announce prints that the node is ready, and tells systemd so.
func (n *native) announce(out io.Writer, ready readyEvent) {
	printJSON(out, ready)
	if err := monitor.Ready(); err != nil {
		n.logger.Warn("systemd does not hear", "error", err)
	}
}

func printJSON(w io.Writer, v any) {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // there is no place to report a closed standard output
}
