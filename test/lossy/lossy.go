// Package lossy is a path that loses and delays datagrams by a seeded random source: a UDP relay on
// one address for a server on another. Tests and trials put it between two nodes where a network
// emulator would need privileges.
package lossy

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Path is the treatment of datagrams, in either direction. The zero value passes each on at once.
type Path struct {
	Seed uint64
	Loss float64 // the share that is dropped, 0 to 1
	// Each datagram is delayed by Least to Most: those sent within that time overtake each other.
	Least, Most time.Duration
	// Lose reports whether a datagram from a client is lost besides; nil: none is. It is called for
	// the datagrams of each client one after the other.
	Lose func(datagram []byte) bool
}

const (
	maxDatagram = 64 << 10
	// inFlight bounds the datagrams in a relay; more are dropped, as any router does.
	inFlight = 8192
)

// Relay passes datagrams between clients that send to Addr and one server. Each client has a socket
// of its own towards the server. Close ends it.
type Relay struct {
	path Path
	in   *net.UDPConn
	work sync.WaitGroup

	mu      sync.Mutex
	to      *net.UDPAddr // nil: the server is not known yet
	closed  bool
	senders map[netip.AddrPort]*sender
	flying  map[*time.Timer]struct{}
	stats   Stats
}

// Stats count datagrams, both ways together.
type Stats struct{ Passed, Dropped int }

// sender is one client and its random sources, one for each direction.
type sender struct {
	out      *net.UDPConn
	up, down *rand.Rand
}

// Listen opens a relay on addr ("127.0.0.1:0"). It drops everything until To names the server.
func Listen(addr string, path Path) (*Relay, error) {
	at, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, fmt.Errorf("lossy: listen: %w", err)
	}
	in, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
	if err != nil {
		return nil, fmt.Errorf("lossy: listen: %w", err)
	}
	r := &Relay{path: path, in: in, senders: map[netip.AddrPort]*sender{}, flying: map[*time.Timer]struct{}{}}
	r.work.Go(r.serve)
	return r, nil
}

// To names the server.
func (r *Relay) To(server netip.AddrPort) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.to = net.UDPAddrFromAddrPort(server)
}

// Addr is the address for clients.
func (r *Relay) Addr() netip.AddrPort { return r.in.LocalAddr().(*net.UDPAddr).AddrPort() }

// Announce turns multiaddrs of the server, over UDP on IPv4, into those of the relay: give it to a
// node that is to be reached over the relay alone. The relay leads to the first one.
func (r *Relay) Announce(listening []string) (told []string) {
	for i, addr := range listening {
		part := strings.Split(addr, "/") // "", ip4, IP, udp, PORT, ...
		if len(part) < 5 || part[1] != "ip4" || part[3] != "udp" {
			continue
		}
		if server, err := netip.ParseAddrPort(part[2] + ":" + part[4]); err == nil && i == 0 {
			r.To(server)
		}
		part[2], part[4] = r.Addr().Addr().String(), strconv.Itoa(int(r.Addr().Port()))
		told = append(told, strings.Join(part, "/"))
	}
	return told
}

// Stats are the counts so far.
func (r *Relay) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stats
}

// Close drops the datagrams on their way and returns when nothing of the relay runs any more.
func (r *Relay) Close() error {
	r.mu.Lock()
	r.closed = true
	err := r.in.Close()
	for _, s := range r.senders {
		_ = s.out.Close() // nothing more is read from it
	}
	for t := range r.flying {
		if t.Stop() {
			r.work.Done()
		}
	}
	r.flying = map[*time.Timer]struct{}{}
	r.mu.Unlock()
	r.work.Wait()
	return err
}

func (r *Relay) serve() {
	buffer := make([]byte, maxDatagram)
	for {
		n, from, err := r.in.ReadFromUDPAddrPort(buffer)
		if err != nil {
			if r.ended() {
				return
			}
			continue // a datagram was refused on its way back
		}
		s := r.sender(from)
		if s == nil {
			continue
		}
		if r.path.Lose != nil && r.path.Lose(buffer[:n]) {
			r.mu.Lock()
			r.stats.Dropped++
			r.mu.Unlock()
			continue
		}
		r.pass(s.up, buffer[:n], func(b []byte) { _, _ = s.out.Write(b) })
	}
}

// sender returns the client with that address; nil when there is no path to the server.
func (r *Relay) sender(from netip.AddrPort) *sender {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.senders[from]; s != nil || r.closed || r.to == nil {
		return s
	}
	out, err := net.DialUDP("udp", nil, r.to)
	if err != nil {
		return nil
	}
	n := uint64(len(r.senders))
	s := &sender{out: out, up: rand.New(rand.NewPCG(r.path.Seed, 2*n)), down: rand.New(rand.NewPCG(r.path.Seed, 2*n+1))}
	r.senders[from] = s
	r.work.Go(func() {
		buffer := make([]byte, maxDatagram)
		for {
			n, err := out.Read(buffer)
			if err != nil {
				if r.ended() {
					return
				}
				continue
			}
			r.pass(s.down, buffer[:n], func(b []byte) { _, _ = r.in.WriteToUDPAddrPort(b, from) })
		}
	})
	return s
}

func (r *Relay) ended() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.closed
}

// pass calls send with a datagram when its time has come, or never. Only one goroutine uses chance.
func (r *Relay) pass(chance *rand.Rand, datagram []byte, send func([]byte)) {
	lost, delay := chance.Float64() < r.path.Loss, r.path.Least
	if span := r.path.Most - r.path.Least; span > 0 {
		delay += time.Duration(chance.Int64N(int64(span)))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if lost || r.closed || len(r.flying) >= inFlight {
		r.stats.Dropped++
		return
	}
	r.stats.Passed++
	b := append([]byte(nil), datagram...)
	var t *time.Timer
	r.work.Add(1)
	t = time.AfterFunc(delay, func() {
		defer r.work.Done()
		r.mu.Lock()
		delete(r.flying, t)
		r.mu.Unlock()
		send(b)
	})
	r.flying[t] = struct{}{}
}
