package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	ic "github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/transport"
	ma "github.com/multiformats/go-multiaddr"
	msmux "github.com/multiformats/go-multistream"

	"inos/internal/mesh/p2p/webtransport"
)

// firstBack is the first byte of the peer's first stream to this side; the length of a protocol's
// name is never near it.
const firstBack = 100

// open starts a stream of a test protocol.
func open(ctx context.Context, c transport.CapableConn, name string) network.MuxedStream {
	s, err := c.OpenStream(ctx)
	noErr(err)
	noErr(msmux.SelectProtoOrFail("/test/"+name, s))
	return s
}

// rest waits until JavaScript holds no more than this many waiters. Their promises may be a few
// more: Firefox settles some of a reset stream only when the session ends.
func rest(ctx context.Context, t *webtransport.Transport, waiters int) {
	for {
		w, p := t.Pending()
		if w <= waiters && p <= 16*waiters+2 {
			return
		}
		select {
		case <-ctx.Done():
			must(false, "left behind: %d waiters, %d promises", w, p)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func testTransport(a addresses) {
	key, _, err := ic.GenerateEd25519Key(rand.Reader)
	noErr(err)
	t, err := webtransport.New(key, nil, nil)
	noErr(err)
	info, err := peer.AddrInfoFromString(a.plain)
	noErr(err)
	addr := info.Addrs[0]
	dial := func(ctx context.Context) transport.CapableConn {
		c, err := t.Dial(ctx, addr, info.ID)
		noErr(err)
		return c
	}
	var c transport.CapableConn
	test("dial", func(ctx context.Context) {
		start := time.Now()
		c = dial(ctx)
		fmt.Printf("     session and Noise in %.1f ms\n", ms(time.Since(start)))
		must(c.RemotePeer() == info.ID && !c.IsClosed(), "wrong peer")
		must(strings.HasPrefix(addr.String(), c.RemoteMultiaddr().String()), "remote %s", c.RemoteMultiaddr())
	})
	test("refuses to listen, dials WebTransport with certhash only", func(context.Context) {
		_, err := t.Listen(addr)
		must(errors.Is(err, webtransport.ErrListen), "%v", err)
		must(t.CanDial(addr), "cannot dial %s", addr)
		for _, s := range []string{"/ip4/127.0.0.1/udp/1/quic-v1", "/ip4/127.0.0.1/udp/1/quic-v1/webtransport", "/ip4/127.0.0.1/tcp/1/ws"} {
			must(!t.CanDial(ma.StringCast(s)), "can dial %s", s)
		}
	})
	test("echo, half close, end of stream", func(ctx context.Context) {
		s := open(ctx, c, "echo")
		data := make([]byte, 1<<20+7)
		_, _ = rand.Read(data)
		go func() {
			_, _ = s.Write(data)
			_ = s.CloseWrite()
		}()
		got, err := io.ReadAll(s)
		noErr(err)
		must(bytes.Equal(got, data), "%d bytes came back", len(got))
		_, err = s.Write([]byte{1})
		must(err != nil, "wrote after CloseWrite")
		noErr(s.Close())
	})
	test("read deadline, moved while a read waits, and reads after it", func(ctx context.Context) {
		s := open(ctx, c, "echo")
		noErr(s.SetReadDeadline(time.Now().Add(-time.Second)))
		_, err := s.Read(make([]byte, 1))
		must(errors.Is(err, os.ErrDeadlineExceeded), "past: %v", err)
		noErr(s.SetReadDeadline(time.Now().Add(30 * time.Millisecond)))
		_, err = s.Read(make([]byte, 1))
		must(errors.Is(err, os.ErrDeadlineExceeded), "soon: %v", err)
		noErr(s.SetReadDeadline(time.Time{}))
		waiting := make(chan error)
		go func() { _, err := s.Read(make([]byte, 1)); waiting <- err }()
		noErr(s.SetReadDeadline(time.Now()))
		must(errors.Is(<-waiting, os.ErrDeadlineExceeded), "moved")
		noErr(s.SetReadDeadline(time.Time{}))
		_, err = s.Write([]byte("hello"))
		noErr(err)
		buf := make([]byte, 5)
		_, err = io.ReadFull(s, buf)
		noErr(err)
		must(string(buf) == "hello", "lost bytes: %q", buf)
		noErr(s.Reset())
	})
	test("back-pressure: a peer that does not read stops the writer", func(ctx context.Context) {
		s := open(ctx, c, "hold")
		noErr(s.SetWriteDeadline(time.Now().Add(1500 * time.Millisecond)))
		n, err := s.Write(make([]byte, 64<<20))
		must(errors.Is(err, os.ErrDeadlineExceeded), "%v", err)
		must(n < 40<<20, "%d bytes written into nothing", n)
		fmt.Printf("     writer stopped after %d KiB\n", n>>10)
		noErr(s.Reset())
		_, err = s.Write([]byte{1})
		must(errors.Is(err, network.ErrReset), "after reset: %v", err)
	})
	test("reset reaches the peer, close does too", func(ctx context.Context) {
		for _, end := range []struct {
			name, want string
			do         func(network.MuxedStream) error
		}{
			{"reset", "reset", network.MuxedStream.Reset},
			{"reset with code", "reset", func(s network.MuxedStream) error { return s.ResetWithError(0x1003) }},
			{"close", "<nil>", network.MuxedStream.Close},
		} {
			s := open(ctx, c, "watch")
			_, err := io.ReadFull(s, make([]byte, 1))
			noErr(err)
			noErr(end.do(s))
			q := open(ctx, c, "watched")
			noErr(q.CloseWrite())
			how, err := io.ReadAll(q)
			noErr(err)
			must(strings.Contains(string(how), end.want), "%s seen as %q", end.name, how)
			fmt.Printf("     %s seen as %q\n", end.name, how)
			noErr(q.Close())
		}
	})
	test("reset by the peer ends reads and writes", func(ctx context.Context) {
		s := open(ctx, c, "reset")
		_, err := s.Write([]byte{1})
		noErr(err)
		_, err = s.Read(make([]byte, 1))
		var e *network.StreamError
		must(errors.As(err, &e) && e.Remote && errors.Is(err, network.ErrReset), "%v", err)
		fmt.Printf("     code seen: %d\n", e.ErrorCode)
		for err = nil; err == nil; {
			_, err = s.Write(make([]byte, 1000))
		}
		must(errors.Is(err, network.ErrReset), "write: %v", err)
		noErr(s.Reset())
	})
	test("CloseRead interrupts a read and leaves writing", func(ctx context.Context) {
		s := open(ctx, c, "sink")
		waiting := make(chan error)
		go func() { _, err := s.Read(make([]byte, 1)); waiting <- err }()
		noErr(s.CloseRead())
		err := <-waiting
		must(err != nil && err != io.EOF, "%v", err)
		_, err = s.Write([]byte("on"))
		noErr(err)
		noErr(s.Close())
	})
	// Firefox (153) lets a peer open a hundred, and streams of an unmodified libp2p node do not always make room again.
	for _, how := range []string{"closed by both", "peer resets", "browser resets"} {
		test("the peer opens 25 streams to the browser, one after the other: "+how, func(ctx context.Context) { comeBack(ctx, c, how[0], 25) })
	}
	test("100 streams at once", func(ctx context.Context) {
		var wg sync.WaitGroup
		errs := make(chan error, 100)
		for i := range 100 {
			wg.Go(func() {
				s, err := c.OpenStream(ctx)
				if err == nil {
					err = msmux.SelectProtoOrFail("/test/echo", s)
				}
				msg := fmt.Appendf(nil, "stream %d %s", i, strings.Repeat("x", i*100))
				if err == nil {
					_, err = s.Write(msg)
				}
				got := make([]byte, len(msg))
				if err == nil {
					_, err = io.ReadFull(s, got)
				}
				if err == nil && !bytes.Equal(got, msg) {
					err = errors.New("mixed up")
				}
				if err == nil {
					err = s.Close()
				}
				errs <- err
			})
		}
		wg.Wait()
		for range 100 {
			noErr(<-errs)
		}
	})
	test("nothing is left behind by streams", func(ctx context.Context) {
		rest(ctx, t, 1) // the read of incoming streams may wait
	})
	measure(c)
	test("wrong certificate hash", func(ctx context.Context) {
		wrong := "/certhash/uEiA" + strings.Repeat("A", 43)
		bare := strings.Split(addr.String(), "/certhash/")[0]
		bad, err := ma.NewMultiaddr(bare + wrong)
		noErr(err)
		_, err = t.Dial(ctx, bad, info.ID)
		must(errors.Is(err, webtransport.ErrHandshake), "%v", err)
		fmt.Printf("     %v\n", err)
		// A hash that the peer does not vouch for, beside the right ones.
		more, err := ma.NewMultiaddr(addr.String() + wrong)
		noErr(err)
		_, err = t.Dial(ctx, more, info.ID)
		must(errors.Is(err, webtransport.ErrCertHash), "%v", err)
	})
	test("another peer under that address", func(ctx context.Context) {
		_, other, err := ic.GenerateEd25519Key(rand.Reader)
		noErr(err)
		id, err := peer.IDFromPublicKey(other)
		noErr(err)
		_, err = t.Dial(ctx, addr, id)
		must(err != nil, "dialled")
	})
	test("a dial is given up with its context", func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		hash := strings.SplitN(addr.String(), "/certhash/", 2)[1]
		nobody := ma.StringCast("/ip4/127.0.0.1/udp/9/quic-v1/webtransport/certhash/" + strings.SplitN(hash, "/", 2)[0])
		start := time.Now()
		_, err := t.Dial(ctx, nobody, info.ID)
		must(err != nil && time.Since(start) < 5*time.Second, "%v", err)
	})
	test("the peer closes the connection", func(ctx context.Context) {
		c := dial(ctx)
		held := open(ctx, c, "echo")
		s, err := c.OpenStream(ctx)
		noErr(err)
		_, _ = msmux.SelectOneOf([]string{"/test/close"}, s)
		_, err = held.Read(make([]byte, 1))
		must(err != nil && err != io.EOF, "%v", err)
		for err = nil; err == nil; { // the peer's identify may have come before
			_, err = c.AcceptStream()
		}
		must(c.IsClosed(), "not closed")
		_, err = c.OpenStream(ctx)
		must(err != nil, "opened")
		fmt.Printf("     close seen as %v\n", err)
		noErr(c.Close())
	})
	test("the peer is killed mid-stream", func(ctx context.Context) {
		victim, err := peer.AddrInfoFromString(a.plainVictim)
		noErr(err)
		c, err := t.Dial(ctx, victim.Addrs[0], victim.ID)
		noErr(err)
		held := open(ctx, c, "source")
		_, err = held.Write(binary.BigEndian.AppendUint64(nil, 1<<40))
		noErr(err)
		_, err = io.CopyN(io.Discard, held, 1<<20)
		noErr(err)
		die := open(ctx, c, "echo")
		_ = die.Reset()
		s, err := c.OpenStream(ctx)
		noErr(err)
		start := time.Now()
		_ = s.SetDeadline(start.Add(5 * time.Second))
		_, _ = msmux.SelectOneOf([]string{"/test/die"}, s)
		_ = held.SetReadDeadline(start.Add(5 * time.Second))
		_, err = io.Copy(io.Discard, held)
		must(err != nil, "no end")
		fmt.Printf("     after %.0f ms: %v\n", ms(time.Since(start)), err)
		noErr(c.Close())
	})
	test("close leaves nothing", func(ctx context.Context) {
		noErr(c.Close())
		noErr(t.Close())
		rest(ctx, t, 0)
		_, err := t.Dial(ctx, addr, info.ID)
		must(err != nil, "dialled after close")
	})
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// measure prints the figures of a stream.
func measure(c transport.CapableConn) {
	test("latency and throughput", func(ctx context.Context) {
		s := open(ctx, c, "echo")
		buf := make([]byte, 32)
		var took []time.Duration
		for range 1000 {
			start := time.Now()
			_, err := s.Write(buf)
			noErr(err)
			_, err = io.ReadFull(s, buf)
			noErr(err)
			took = append(took, time.Since(start))
		}
		noErr(s.Close())
		slices.Sort(took)
		fmt.Printf("     echo of 32 bytes: best %.2f ms, p50 %.2f ms, p99 %.2f ms\n", ms(took[0]), ms(took[500]), ms(took[990]))
		const size = 100 << 20
		up := open(ctx, c, "sink")
		start := time.Now()
		chunk := make([]byte, 256<<10)
		for range size / len(chunk) {
			_, err := up.Write(chunk)
			noErr(err)
		}
		noErr(up.CloseWrite())
		var n [8]byte
		_, err := io.ReadFull(up, n[:])
		noErr(err)
		must(binary.BigEndian.Uint64(n[:]) == size, "%d arrived", binary.BigEndian.Uint64(n[:]))
		fmt.Printf("     up 100 MiB: %.0f MB/s\n", size/1e6/time.Since(start).Seconds())
		noErr(up.Close())
		down := open(ctx, c, "source")
		start = time.Now()
		_, err = down.Write(binary.BigEndian.AppendUint64(nil, size))
		noErr(err)
		noErr(down.CloseWrite())
		for left := size; left > 0; {
			n, err := down.Read(chunk)
			noErr(err)
			left -= n
		}
		fmt.Printf("     down 100 MiB: %.0f MB/s\n", size/1e6/time.Since(start).Seconds())
		noErr(down.Close())
	})
}

// comeBack lets the peer open n streams, one after the other, which end as how says.
func comeBack(ctx context.Context, c transport.CapableConn, how byte, n uint16) {
	s := open(ctx, c, "back")
	_, err := s.Write(binary.BigEndian.AppendUint16([]byte{how}, n))
	noErr(err)
	for left := n; left > 0; {
		in, err := c.AcceptStream()
		noErr(err)
		var first [1]byte
		_, err = io.ReadFull(in, first[:])
		if err != nil || first[0] < firstBack { // the peer's identify opened it
			noErr(in.Reset())
			continue
		}
		if left--; how == 'b' {
			noErr(in.Reset())
			continue
		}
		_, err = in.Write(first[:])
		noErr(err)
		noErr(in.Close())
	}
	var all [3]byte
	_, err = io.ReadFull(s, all[:])
	noErr(err)
	must(binary.BigEndian.Uint16(all[1:]) == n, "got %v", all)
	noErr(s.Close())
}
