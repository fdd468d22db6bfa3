package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"inos/internal/bounded"
	"inos/internal/serve"
)

type serveCmd struct {
	nodeFlags
	Dist string  `default:"dist" placeholder:"FOLDER" help:"Folder of the packed shell, as make dist makes it (default ${default})."`
	HTTP tcpAddr `name:"http" default:"127.0.0.1:0" placeholder:"HOST:PORT" help:"Address to serve it on (default ${default})."`
}

// Run runs a node and serves the shell that joins it.
func (c *serveCmd) Run(s *session) error {
	c.takeLogs(s.diag)
	n, err := start(context.WithoutCancel(s.ctx), c.nodeFlags, s.diag)
	if err != nil {
		return c.failed(s.diag, err)
	}
	n.sayReach()
	ctx, cancel := context.WithCancel(s.ctx) // the server's failure ends the node, too
	defer cancel()
	served := make(chan error, 1)
	go func() {
		defer cancel()
		served <- n.serveHTTP(ctx, c.Dist, string(c.HTTP), s.out)
	}()
	err = n.untilTold(ctx, time.Duration(c.DrainTimeout))
	cancel()
	return c.failed(s.diag, errors.Join(<-served, err))
}

// serveHTTP serves until ctx ends or the server fails.
func (n *native) serveHTTP(ctx context.Context, dist, addr string, out io.Writer) error {
	handler, err := serve.New(os.DirFS(dist), func() serve.Boot { return serve.Boot{Bootstrap: n.mesh.Addrs()} })
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	server := bounded.Server(handler)
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(bounded.Listen(listener)) }()
	ready := n.ready()
	ready.HTTP = fmt.Sprintf("http://%s/", listener.Addr())
	n.announce(out, ready)

	select {
	case err = <-failed:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		_ = server.Close()
	}
	<-failed
	return nil
}
