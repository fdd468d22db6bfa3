// Package bounded is an HTTP server that clients cannot exhaust. It bounds the number of
// connections and shares them among networks, and it closes a connection whose client does not
// read its answer.
package bounded

import (
	"net"
	"net/http"
	"time"
)

// Limits of a server.
const (
	Connections = 256              // in all
	Silence     = 30 * time.Second // in which a client has to read Rate bytes for each second
	Rate        = 4 << 10          // bytes a second that a client has to read, within each Silence
)

// Server answers with h. It sets no limit on the time of a whole answer: connections of Listen
// close when the client does not read.
func Server(h http.Handler) *http.Server {
	return &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10}
}

// Listen bounds the connections that l accepts.
func Listen(l net.Listener) net.Listener { return listen(l, Connections, Silence) }

func listen(l net.Listener, most int, silence time.Duration) net.Listener {
	return &listener{Listener: l, silence: silence, table: connTable{most: most, of: map[string]int{}}}
}

type listener struct {
	net.Listener
	silence time.Duration
	table   connTable
}

// Accept implements net.Listener. At the bound it closes another connection.
func (l *listener) Accept() (net.Conn, error) {
	inner, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: inner, table: &l.table, silence: l.silence, origin: networkOf(inner.RemoteAddr())}
	if gone := l.table.enter(c, time.Now()); gone != nil {
		_ = gone.Close()
	}
	return c, nil
}
