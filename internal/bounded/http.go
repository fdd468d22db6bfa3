// Package bounded is an HTTP server that strangers cannot fill: connections have a number, of
// which each network has a share, and who takes nothing of what is sent to him is not sent
// more.
package bounded

import (
	"net"
	"net/http"
	"time"
)

// Limits of a server.
const (
	Connections = 256              // in all
	Silence     = 30 * time.Second // that the share of an answer that Rate says may take
	Rate        = 4 << 10          // bytes a second that have to be taken of an answer, within each Silence
)

// Server answers with h. It has no limit on how long a whole answer takes: Listener's
// connections end those that are not taken.
func Server(h http.Handler) *http.Server {
	return &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10}
}

// Listen bounds what l accepts.
func Listen(l net.Listener) net.Listener { return listen(l, Connections, Silence) }

func listen(l net.Listener, most int, silence time.Duration) net.Listener {
	return &listener{Listener: l, silence: silence, crowd: crowd{most: most, of: map[string]int{}}}
}

type listener struct {
	net.Listener
	silence time.Duration
	crowd   crowd
}

// Accept implements net.Listener. When there is no room somebody else has to go.
func (l *listener) Accept() (net.Conn, error) {
	inner, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: inner, crowd: &l.crowd, silence: l.silence, origin: networkOf(inner.RemoteAddr())}
	if gone := l.crowd.enter(c, time.Now()); gone != nil {
		_ = gone.Close()
	}
	return c, nil
}
