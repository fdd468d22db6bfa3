//go:build !js

// Command peer is the far side of the browser mesh tests. With -plain it is a
// go-libp2p node with protocols that try a transport (echo, sink, source, hold,
// watch, back, close, die); otherwise it is a node of the mesh whose handler does
// what a job's method says. It prints its address on one line and ends when its
// standard input does.
package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"inos/internal/mesh"
	"inos/internal/mesh/p2p"
)

const listen = "/ip4/127.0.0.1/udp/0/quic-v1/webtransport"

func main() {
	plain := flag.Bool("plain", false, "a plain libp2p node")
	via := flag.String("via", "", "bootstrap address")
	late := flag.Duration("late", 0, "artificial latency")
	capability := flag.String("cap", "gpu", "capability to announce")
	flag.Parse()
	if err := run(*plain, *via, *late, *capability); err != nil {
		log.Fatal(err)
	}
}

func run(plain bool, via string, late time.Duration, capability string) error {
	if plain {
		return runPlain()
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	w := &worker{}
	cfg := p2p.Config{Key: key, Handler: w, Listen: []string{listen}, ArtificialLatency: late}
	if via != "" {
		cfg.Bootstrap = []string{via}
	}
	m, err := p2p.New(cfg)
	if err != nil {
		return err
	}
	w.start(m)
	if err := w.publish(mesh.Profile{Name: "peer", Capabilities: []string{capability}, CreditCost: 10, FreeSlots: 4}); err != nil {
		return err
	}
	fmt.Println(m.Addrs()[0])
	_, _ = io.Copy(io.Discard, os.Stdin)
	return m.Close()
}
