//go:build !js

package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p"
	dht "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/multiformats/go-multihash"
)

// runPlain runs libp2p.New with protocols that try a transport.
func runPlain() error {
	h, err := libp2p.New(libp2p.ListenAddrStrings(listen), libp2p.ResourceManager(&network.NullResourceManager{}))
	if err != nil {
		return err
	}
	directory, err := dht.New(context.Background(), h, dht.Mode(dht.ModeServer), dht.ProtocolPrefix("/inos"))
	if err != nil {
		return err
	}
	ends := make(chan error, 1)
	for id, f := range map[protocol.ID]func(network.Stream) error{
		"/test/echo": func(s network.Stream) error {
			_, err := io.Copy(s, s)
			return errors.Join(err, s.CloseWrite())
		},
		"/test/sink": func(s network.Stream) error { // counts to the end, then answers
			n, err := io.Copy(io.Discard, s)
			if err != nil {
				return err
			}
			_, err = s.Write(binary.BigEndian.AppendUint64(nil, uint64(n)))
			return err
		},
		"/test/source": func(s network.Stream) error { // as many bytes as asked for
			var ask [8]byte
			if _, err := io.ReadFull(s, ask[:]); err != nil {
				return err
			}
			left := int(binary.BigEndian.Uint64(ask[:]))
			chunk := make([]byte, 64<<10)
			for left > 0 {
				n, err := s.Write(chunk[:min(left, len(chunk))])
				if err != nil {
					return err
				}
				left -= n
			}
			return s.CloseWrite()
		},
		"/test/hold": func(s network.Stream) error { // reads one byte a minute
			one := make([]byte, 1)
			_, err := io.ReadFull(s, one)
			if err != nil {
				return err
			}
			if _, err := s.Write(one); err != nil {
				return err
			}
			time.Sleep(time.Minute)
			return nil
		},
		"/test/watch": func(s network.Stream) error { // reports how the stream ends
			_, err := s.Write([]byte{1})
			if err == nil {
				_, err = io.Copy(io.Discard, s)
			}
			ends <- err
			return err
		},
		"/test/watched": func(s network.Stream) error {
			_, err := fmt.Fprint(s, <-ends)
			return errors.Join(err, s.CloseWrite())
		},
		"/test/reset": func(s network.Stream) error { // resets after the first byte
			_, _ = io.ReadFull(s, make([]byte, 1))
			return errors.New("as asked")
		},
		"/test/back": func(s network.Stream) error { // opens streams to the caller
			var ask [3]byte // how they end, and how many
			if _, err := io.ReadFull(s, ask[:]); err != nil {
				return err
			}
			for i := range binary.BigEndian.Uint16(ask[1:]) {
				back, err := s.Conn().NewStream(context.Background())
				if err != nil {
					return err
				}
				first := 100 + byte(i%100)
				if _, err := back.Write([]byte{first}); err != nil {
					return err
				}
				var got [1]byte
				_, err = io.ReadFull(back, got[:])
				if reset := ask[0] == 'b'; reset != (err != nil) || !reset && got[0] != first {
					return fmt.Errorf("stream %d: got %d: %v", i, got[0], err)
				}
				if ask[0] == 'p' {
					_ = back.Reset()
				} else {
					_ = back.Close()
				}
			}
			_, err := s.Write(ask[:])
			return err
		},
		"/test/providers": func(s network.Stream) error { // of a capability, as the DHT here has them
			capability, err := io.ReadAll(s)
			if err != nil {
				return err
			}
			mh, err := multihash.Sum(append([]byte("inos/capability/1/"), capability...), multihash.SHA2_256, -1)
			if err != nil {
				return err
			}
			found, err := directory.FindProviders(context.Background(), cid.NewCidV1(cid.Raw, mh))
			if err != nil {
				return err
			}
			for _, p := range found {
				if _, err := fmt.Fprint(s, p.ID.String(), " "); err != nil {
					return err
				}
			}
			return nil
		},
		"/test/close": func(s network.Stream) error { return s.Conn().Close() },
		"/test/die":   func(s network.Stream) error { return syscall.Kill(os.Getpid(), syscall.SIGKILL) },
	} {
		h.SetStreamHandler(id, func(s network.Stream) {
			if err := f(s); err != nil {
				_ = s.ResetWithError(42)
				return
			}
			// Close says STOP_SENDING, which in Firefox overtakes the answer.
			_ = s.CloseWrite()
			_ = s.SetReadDeadline(time.Now().Add(5 * time.Second))
			_, _ = io.Copy(io.Discard, s)
			_ = s.Close()
		})
	}
	fmt.Println(h.Addrs()[0].String() + "/p2p/" + h.ID().String())
	_, _ = io.Copy(io.Discard, os.Stdin)
	return h.Close()
}
