package bounded

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// networkOf returns the network of an address: a /24 of IPv4, a /56 of IPv6.
func networkOf(addr net.Addr) string {
	at, err := netip.ParseAddrPort(addr.String())
	if err != nil {
		return addr.String()
	}
	ip, bits := at.Addr().Unmap(), 56
	if ip.Is4() {
		bits = 24
	}
	prefix, err := ip.WithZone("").Prefix(bits)
	if err != nil {
		return ip.String()
	}
	return prefix.String()
}

// connTable is the set of open connections.
type connTable struct {
	mu    sync.Mutex
	most  int
	conns []*conn
	of    map[string]int // number by network
}

// enter adds c. At the bound it returns the connection to close: of the network with the most
// connections, the one that has been idle longest.
func (w *connTable) enter(c *conn, now time.Time) (gone *conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.conns) >= w.most {
		for _, o := range w.conns {
			if gone == nil || w.of[o.origin] > w.of[gone.origin] || o.origin == gone.origin && o.moved.Before(gone.moved) {
				gone = o
			}
		}
		w.remove(gone)
	}
	c.moved = now
	w.of[c.origin]++
	w.conns = append(w.conns, c)
	return gone
}

// remove removes c, if it is still there. The caller holds mu.
func (w *connTable) remove(c *conn) {
	for i, o := range w.conns {
		if o == c {
			last := len(w.conns) - 1
			w.conns[i], w.conns[last] = w.conns[last], nil
			w.conns = w.conns[:last]
			if w.of[c.origin]--; w.of[c.origin] == 0 {
				delete(w.of, c.origin)
			}
			return
		}
	}
}

// conn is a connection whose peer has to read what is written to it.
type conn struct {
	net.Conn
	table   *connTable
	silence time.Duration
	origin  string
	moved   time.Time // when bytes last went either way; under connTable.mu

	// Used by the writing goroutine, one at a time.
	began time.Time // start of the measured interval
	wrote int       // bytes since began
	ended time.Time // end of the last write
}

// pause is how long nothing may be written before the next write counts as a new answer.
const pause = time.Second

func (c *conn) Write(p []byte) (int, error) {
	now := time.Now()
	if c.began.IsZero() || float64(c.wrote) >= Rate*c.silence.Seconds() || now.Sub(c.ended) > pause {
		c.began, c.wrote = now, 0
	}
	if err := c.SetWriteDeadline(c.began.Add(c.silence)); err != nil {
		return 0, err
	}
	n, err := c.Conn.Write(p)
	c.wrote += n
	c.ended = time.Now()
	c.move(n)
	return n, err
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.move(n)
	return n, err
}

func (c *conn) move(n int) {
	if n > 0 {
		c.table.mu.Lock()
		c.moved = time.Now()
		c.table.mu.Unlock()
	}
}

func (c *conn) Close() error {
	c.table.mu.Lock()
	c.table.remove(c)
	c.table.mu.Unlock()
	return c.Conn.Close()
}
