package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"inos/internal/serve"
)

type serveCmd struct {
	nodeFlags
	Dist string  `default:"dist" placeholder:"FOLDER" help:"Folder of the packed shell, as make dist makes it (default ${default})."`
	HTTP tcpAddr `name:"http" default:"127.0.0.1:0" placeholder:"HOST:PORT" help:"Address to serve it on (default ${default})."`
}

// Run runs a node and serves the shell that joins it.
func (c *serveCmd) Run(s *session) error {
	n, err := start(s.ctx, c.nodeFlags, s.diag)
	if err != nil {
		return err
	}
	n.sayReach(s.diag)
	return errors.Join(n.serveHTTP(s.ctx, c.Dist, string(c.HTTP), s.out), n.wait())
}

// serveHTTP serves until ctx ends or the server fails; either way the node is
// told to stop.
func (n *native) serveHTTP(ctx context.Context, dist, addr string, out io.Writer) error {
	defer n.stop()
	handler, err := serve.New(os.DirFS(dist), func() serve.Boot { return serve.Boot{Bootstrap: n.mesh.Addrs()} })
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	ready := n.ready()
	ready.HTTP = fmt.Sprintf("http://%s/", listener.Addr())
	printJSON(out, ready)

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
