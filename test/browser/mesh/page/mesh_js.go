package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	ic "github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"inos/internal/capsule"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/mesh/p2p"
	"inos/internal/mesh/p2p/webtransport"
	"inos/internal/wire"
)

// handler is the browser's mesh.Handler.
type handler struct {
	blob    mesh.Blob
	release chan struct{} // closed when a feed may be read
	eaten   chan eaten
}

func (h handler) HandleJob(ctx context.Context, _ identity.PeerID, call mesh.JobCall, _ mesh.FetchFunc, _ func(mesh.Progress)) mesh.JobOutcome {
	input, err := call.ReadInput(ctx)
	if err != nil {
		return mesh.JobOutcome{JobID: call.Job.ID, Code: mesh.JobRejected, Message: err.Error()}
	}
	out := slices.Clone(input)
	slices.Reverse(out)
	return mesh.JobOutcome{JobID: call.Job.ID, Output: out}
}

func (h handler) HandleCommand(_ context.Context, _ identity.PeerID, call mesh.CommandCall) capsule.Reply {
	return capsule.Reply{CapsuleID: "browser:" + call.Command.Target}
}

func (h handler) HandleFetch(_ context.Context, _ identity.PeerID, call mesh.FetchCall) (mesh.Blob, bool) {
	return h.blob, call.CID == h.blob.Manifest.CID
}

func makeBlob(key ed25519.PrivateKey, size, chunk int) mesh.Blob {
	data := make([]byte, size)
	_, _ = rand.Read(data)
	man := capsule.Manifest{CID: capsule.SumCID(data), Name: "big", ABIVersion: 1, Size: uint64(size), ChunkSize: uint32(chunk)}
	for at := 0; at < size; at += chunk {
		man.Chunks = append(man.Chunks, sha256.Sum256(data[at:min(at+chunk, size)]))
	}
	signed, err := wire.SealManifest(man, key)
	noErr(err)
	return mesh.Blob{Manifest: man, SignedManifest: signed, Wasm: data}
}

func call(method string, input []byte) mesh.JobCall {
	return mesh.JobCall{
		Envelope: governance.Envelope{ID: "e", Type: "job:run:v1", Timestamp: time.Now()},
		Job:      governance.Job{ID: "j", Method: method}, Input: input,
	}
}

func idOf(addr string) identity.PeerID {
	return identity.PeerID(addr[strings.LastIndex(addr, "/")+1:])
}

// eventually tries f until it returns no error or ctx ends.
func eventually(ctx context.Context, f func() error) {
	for {
		err := f()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			must(false, "%v", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// testStranger joins through a node that is go-libp2p and kad-dht only: its identify and its
// directory must suffice.
func testStranger(a addresses) {
	test("an unmodified node with kad-dht takes our provider record", func(ctx context.Context) {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		noErr(err)
		start := time.Now()
		m, err := p2p.New(p2p.Config{Key: key, Bootstrap: []string{a.plain}})
		noErr(err)
		defer m.Close()
		_, err = m.Connect(ctx, a.plain)
		noErr(err)
		noErr(m.Publish(ctx, mesh.Profile{Capabilities: []string{"stranger"}, Expires: time.Now().Add(time.Minute)}))

		raw, _, err := ic.GenerateEd25519Key(rand.Reader)
		noErr(err)
		t, err := webtransport.New(raw, nil, nil)
		noErr(err)
		defer t.Close()
		info, err := peer.AddrInfoFromString(a.plain)
		noErr(err)
		c, err := t.Dial(ctx, info.Addrs[0], info.ID)
		noErr(err)
		eventually(ctx, func() error {
			s := open(ctx, c, "providers")
			defer s.Close()
			_, err := s.Write([]byte("stranger"))
			noErr(err)
			noErr(s.CloseWrite())
			got, err := io.ReadAll(s)
			if err == nil && !strings.Contains(string(got), string(m.Self())) {
				err = fmt.Errorf("providers: %q", got)
			}
			return err
		})
		fmt.Printf("     %.0f ms after start\n", ms(time.Since(start)))
	})
}

func testMesh(a addresses) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	noErr(err)
	h := handler{makeBlob(key, 15<<20, 256<<10), make(chan struct{}), make(chan eaten, 1)}
	node, far, victim := idOf(a.node), idOf(a.far), idOf(a.victim)
	var m *p2p.Mesh
	var mu sync.Mutex
	heard := map[identity.PeerID]mesh.Profile{}
	gone := make(chan identity.PeerID, 16)
	arrived := make(chan identity.PeerID, 64)
	start := time.Now()
	job := func(ctx context.Context, p identity.PeerID, method string, input []byte) (string, error) {
		out, err := m.RunJob(ctx, p, call(method, input), nil)
		if err == nil && out.Code != mesh.JobOK {
			err = errors.New(out.Message)
		}
		return string(out.Output), err
	}

	test("join the mesh", func(ctx context.Context) {
		_, err := p2p.New(p2p.Config{Key: key, Listen: []string{"/ip4/127.0.0.1/udp/0/quic-v1/webtransport"}})
		must(errors.Is(err, mesh.ErrAddress), "listen: %v", err)
		start = time.Now()
		m, err = p2p.New(p2p.Config{Key: key, Handler: h, Bootstrap: []string{a.node}})
		noErr(err)
		go func() { // ends with the mesh
			for e := range m.Events() {
				switch e := e.(type) {
				case mesh.ProfileHeard:
					mu.Lock()
					heard[e.Profile.Peer] = e.Profile
					mu.Unlock()
				case mesh.PeerConnected:
					arrived <- e.Peer
				case mesh.PeerDisconnected:
					gone <- e.Peer
				}
			}
		}()
		p := <-arrived
		must(p == node, "connected to %s", p)
		fmt.Printf("     connected after %.0f ms\n", ms(time.Since(start)))
	})
	test("find by capability through the DHT", func(ctx context.Context) {
		eventually(ctx, func() error {
			ps, err := m.Find(ctx, "gpu")
			if err == nil && (len(ps) == 0 || ps[0].Peer != node || len(ps[0].Addrs) == 0) {
				err = fmt.Errorf("found %d", len(ps))
			}
			return err
		})
		fmt.Printf("     first find %.0f ms after start\n", ms(time.Since(start)))
		eventually(ctx, func() error { // of a node that the browser is not connected to yet
			ps, err := m.Find(ctx, "far")
			if err == nil && (len(ps) != 1 || ps[0].Peer != far) {
				err = fmt.Errorf("found %d", len(ps))
			}
			return err
		})
		fmt.Printf("     the far node %.0f ms after start\n", ms(time.Since(start)))
		again := time.Now()
		_, err := m.Find(ctx, "far")
		noErr(err)
		fmt.Printf("     a find when all is warm: %.1f ms\n", ms(time.Since(again)))
	})
	test("a profile goes out: gossip, and a provider record that others find", func(ctx context.Context) {
		noErr(m.Publish(ctx, mesh.Profile{Name: "page", Capabilities: []string{"page-cap"}, Expires: time.Now().Add(time.Minute)}))
		for _, p := range []identity.PeerID{node, far} {
			eventually(ctx, func() error {
				text, err := job(ctx, p, "heard", nil)
				if err == nil && text != "page-cap browser" {
					err = errors.New(text)
				}
				return err
			})
			eventually(ctx, func() error {
				text, err := job(ctx, p, "find", []byte("page-cap"))
				if err == nil && text != string(m.Self()) {
					err = fmt.Errorf("found %q", text)
				}
				return err
			})
		}
	})
	test("a profile comes in by gossip", func(ctx context.Context) {
		_, err := job(ctx, node, "publish", []byte("renamed"))
		noErr(err)
		eventually(ctx, func() error {
			mu.Lock()
			defer mu.Unlock()
			if heard[node].Name != "renamed" {
				return fmt.Errorf("name %q", heard[node].Name)
			}
			return nil
		})
	})
	test("ping, and the far node's artificial latency", func(ctx context.Context) {
		near, err := m.Ping(ctx, node)
		noErr(err)
		slow, err := m.Ping(ctx, far)
		noErr(err)
		must(slow >= 50*time.Millisecond, "far in %s", slow)
		fmt.Printf("     near %.2f ms, far (50 ms late) %.2f ms\n", ms(near), ms(slow))
	})
	test("a job on a node, 3 MB in and out", func(ctx context.Context) {
		input := bytes.Repeat([]byte("abc"), 1<<20)
		var reports int
		out, err := m.RunJob(ctx, node, call("upper", input), func(mesh.Progress) { reports++ })
		noErr(err)
		must(bytes.Equal(out.Output, bytes.ToUpper(input)) && out.Node == node, "wrong output")
		var took []time.Duration
		for range 100 {
			start := time.Now()
			_, err := job(ctx, node, "upper", []byte("x"))
			noErr(err)
			took = append(took, time.Since(start))
		}
		slices.Sort(took)
		fmt.Printf("     a one-byte job: best %.2f ms, p50 %.2f ms, p99 %.2f ms\n", ms(took[0]), ms(took[50]), ms(took[98]))
	})
	test("100 jobs at once", func(ctx context.Context) {
		var wg sync.WaitGroup
		errs := make(chan error, 100)
		for range 100 {
			wg.Go(func() { _, err := job(ctx, node, "upper", []byte("x")); errs <- err })
		}
		wg.Wait()
		for range 100 {
			noErr(<-errs)
		}
	})
	test("a job from the node on the browser", func(ctx context.Context) {
		text, err := job(ctx, node, "callback", []byte("olleh"))
		noErr(err)
		must(text == "hello", "got %q", text)
	})
	test("commands both ways", func(ctx context.Context) {
		reply, err := m.Command(ctx, node, mesh.CommandCall{Command: capsule.Command{ID: "x", Type: capsule.Pause, Target: "t", Timestamp: time.Now()}})
		noErr(err)
		must(reply.ID == "x" && reply.CapsuleID == "t", "%+v", reply)
		text, err := job(ctx, node, "command", nil)
		noErr(err)
		must(text == "browser:there", "got %q", text)
	})
	test("the node fetches a 15 MB capsule from the browser", func(ctx context.Context) {
		jc := call("fetch", nil)
		jc.Job.Capsule = h.blob.Manifest.CID.String()
		out, err := m.RunJob(ctx, node, jc, nil)
		noErr(err)
		must(out.Code == mesh.JobOK, "%s", out.Message)
		fmt.Printf("     %s\n", out.Output)
	})
	testFeeds(a, m, h, job)
	test("cancelling a job ends it there", func(ctx context.Context) {
		jobCtx, cancel := context.WithCancel(ctx)
		_, err := m.RunJob(jobCtx, node, call("hang", nil), func(mesh.Progress) { cancel() })
		must(errors.Is(err, mesh.ErrCancelled), "%v", err)
		_, err = job(ctx, node, "hung", nil)
		noErr(err)
		jobCtx, cancel = context.WithTimeout(ctx, 200*time.Millisecond)
		defer cancel()
		_, err = m.RunJob(jobCtx, node, call("hang", nil), nil)
		must(errors.Is(err, mesh.ErrTimeout), "%v", err)
		_, err = job(ctx, node, "hung", nil)
		noErr(err)
	})
	test("bad addresses", func(ctx context.Context) {
		for _, addr := range []string{"", "x", "/ip4/127.0.0.1/tcp/1/p2p/" + string(victim), "/ip4/127.0.0.1/udp/1/quic-v1/webtransport/p2p/" + string(victim)} {
			_, err := m.Connect(ctx, addr)
			must(errors.Is(err, mesh.ErrAddress), "%q: %v", addr, err)
		}
		_, err := m.Connect(ctx, strings.Split(a.victim, "/certhash/")[0]+"/certhash/uEiA"+strings.Repeat("A", 43)+"/p2p/"+string(victim))
		must(errors.Is(err, mesh.ErrUnreachable), "wrong certhash: %v", err)
	})
	test("a node is killed mid-job", func(ctx context.Context) {
		_, err := m.Connect(ctx, a.victim)
		noErr(err)
		running := make(chan struct{})
		var once sync.Once
		failed := make(chan error, 1)
		go func() {
			_, err := m.RunJob(ctx, victim, call("hang", nil), func(mesh.Progress) { once.Do(func() { close(running) }) })
			failed <- err
		}()
		<-running
		start := time.Now()
		go func() { _, _ = job(ctx, victim, "die", nil) }()
		err = <-failed
		must(errors.Is(err, mesh.ErrUnreachable), "%v", err)
		fmt.Printf("     the call failed after %.0f ms\n", ms(time.Since(start)))
		for p := range gone {
			if p == victim {
				break
			}
		}
		fmt.Printf("     the peer was seen gone after %.0f ms\n", ms(time.Since(start)))
		_, err = job(ctx, node, "upper", nil)
		noErr(err)
	})
	test("close", func(ctx context.Context) {
		noErr(m.Close())
		_, err := m.Ping(ctx, node)
		must(errors.Is(err, mesh.ErrClosed), "%v", err)
	})
}
