package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"

	"inos/internal/monitor"
)

// monitor serves /healthz, /readyz and /metrics on addr, if there is one, and reports to systemd
// that the node is alive, if systemd asked for it, until ctx ends.
func (n *native) monitor(ctx context.Context, addr string) error {
	m := monitor.New(monitor.Config{Node: n.Kernel, Ledger: n.Ledger, Version: version})
	if addr == "" {
		m.Stop()
	} else {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			m.Stop()
			return fmt.Errorf("--monitor %s: %w", addr, errors.Unwrap(err))
		}
		n.watched = "http://" + l.Addr().String()
		if at, err := netip.ParseAddrPort(l.Addr().String()); err != nil || !at.Addr().IsLoopback() {
			n.logger.Warn("others can read this node's metrics", "monitor", n.watched)
		}
		n.watch.Go(func() {
			if err := m.Serve(ctx, l); err != nil {
				n.logger.Error("metrics are not served any more", "error", err)
			}
		})
	}
	n.watch.Go(func() {
		err := monitor.Watch(ctx, func(ctx context.Context) error {
			_, err := m.Alive(ctx)
			return err
		})
		if err != nil {
			n.logger.Warn("systemd does not hear", "error", err)
		}
	})
	return nil
}

type healthCmd struct {
	Monitor monitorAddr `default:"127.0.0.1:9464" placeholder:"HOST:PORT" help:"Where the node's --monitor is (default ${default})."`
	Ready   bool        `help:"Ask whether it takes work, and not only whether it lives."`
	Timeout duration    `default:"10s" placeholder:"TIME" help:"Give up after this (default ${default})."`
}

// Run asks a node of this machine for its health. An error says that the node is not healthy.
func (c *healthCmd) Run(s *session) error {
	path := "/healthz"
	if c.Ready {
		path = "/readyz"
	}
	if c.Monitor == "" {
		return s.wrong("--monitor none: expected the HOST:PORT that the node has as its --monitor")
	}
	ctx, cancel := context.WithTimeout(s.ctx, time.Duration(c.Timeout))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+string(c.Monitor)+path, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("nobody answers at %s: %w", c.Monitor, errors.Unwrap(err))
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the node is not well: %s", body)
	}
	_, err = s.out.Write(body)
	return err
}
