package p2p

import (
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	dht "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/testkit"
	"inos/internal/wire"
)

func TestBadAddresses(t *testing.T) {
	a, b := pair(t, 100, nil)
	good := b.Addrs()[0]
	for name, c := range map[string]struct {
		addr string
		want error
	}{
		"empty":            {"", mesh.ErrAddress},
		"no multiaddr":     {"hello", mesh.ErrAddress},
		"no peer id":       {strings.Split(good, "/p2p/")[0], mesh.ErrAddress},
		"peer id only":     {"/p2p/" + string(b.Self()), mesh.ErrAddress},
		"no certhash":      {"/ip4/127.0.0.1/udp/9/quic-v1/webtransport/p2p/" + string(b.Self()), mesh.ErrAddress},
		"bad certhash":     {"/ip4/127.0.0.1/udp/9/quic-v1/webtransport/certhash/zzz/p2p/" + string(b.Self()), mesh.ErrAddress},
		"other transport":  {"/ip4/127.0.0.1/tcp/9/p2p/" + string(testkit.Peer(77)), mesh.ErrAddress},
		"this node itself": {a.Addrs()[0], mesh.ErrAddress},
		"very long":        {strings.Repeat("/ip4/127.0.0.1", 200), mesh.ErrAddress},
	} {
		_, err := a.Connect(t.Context(), c.addr)
		require.ErrorIs(t, err, c.want, name)
	}
	_, err := a.Ping(t.Context(), "not a peer")
	require.ErrorIs(t, err, mesh.ErrAddress)
	_, err = a.RunJob(t.Context(), testkit.Peer(78), call("", nil), nil)
	require.ErrorIs(t, err, mesh.ErrUnreachable)
}

func TestWrongCertificateAndWrongPeer(t *testing.T) {
	b, other := start(t, 110, nil), start(t, 111, nil)
	a := start(t, 112, nil)
	// The address of b with the certificate hashes of other.
	addr, theirs := b.Addrs()[0], other.Addrs()[0]
	hashes := theirs[strings.Index(theirs, "/certhash/"):strings.Index(theirs, "/p2p/")]
	wrong := addr[:strings.Index(addr, "/certhash/")] + hashes + "/p2p/" + string(b.Self())
	_, err := a.Connect(t.Context(), wrong)
	require.ErrorIs(t, err, mesh.ErrCertificate)
	// One right hash and one that b does not vouch for.
	more := addr[:strings.Index(addr, "/p2p/")] + hashes + "/p2p/" + string(b.Self())
	_, err = a.Connect(t.Context(), more)
	require.ErrorIs(t, err, mesh.ErrCertificate)
	// b's address under another's name.
	liar := addr[:strings.Index(addr, "/p2p/")] + "/p2p/" + string(testkit.Peer(119))
	_, err = a.Connect(t.Context(), liar)
	require.ErrorIs(t, err, mesh.ErrSignature)
	_, err = a.Connect(t.Context(), addr)
	require.NoError(t, err)
}

// signedProfile is a profile of node i, spoilt by change, signed by key.
func signedProfile(t *testing.T, i int, key ed25519.PrivateKey, change func(*mesh.Profile)) []byte {
	p := profile("gpu")
	p.Peer, p.Sequence = testkit.Peer(i), uint64(time.Now().UnixMilli())
	if change != nil {
		change(&p)
	}
	payload, err := wire.EncodeProfile(p)
	require.NoError(t, err)
	signed, err := wire.Seal(wire.DomainProfile, payload, key)
	require.NoError(t, err)
	return signed
}

func TestBookRefuses(t *testing.T) {
	b := newProfileStore(time.Now)
	good := signedProfile(t, 1, testkit.Key(1), nil)
	_, err := b.add(good, "")
	require.NoError(t, err)
	_, err = b.add(good, "")
	require.ErrorIs(t, err, errStale, "replayed")
	_, err = b.add(signedProfile(t, 1, testkit.Key(1), func(p *mesh.Profile) { p.Sequence = 5 }), "")
	require.ErrorIs(t, err, errStale, "older")
	_, err = b.add(signedProfile(t, 1, testkit.Key(2), nil), "")
	require.ErrorIs(t, err, mesh.ErrSignature, "signed by another")
	bent := append([]byte(nil), good...)
	bent[len(bent)/2] ^= 1
	_, err = b.add(bent, "")
	require.Error(t, err, "bent")
	_, err = b.add([]byte("nonsense"), "")
	require.ErrorIs(t, err, mesh.ErrProtocol)
	_, err = b.add(signedProfile(t, 3, testkit.Key(3), func(p *mesh.Profile) { p.Expires = time.Now().Add(-time.Second) }), "")
	require.ErrorIs(t, err, mesh.ErrProfile, "expired")
	_, err = b.add(signedProfile(t, 3, testkit.Key(3), func(p *mesh.Profile) { p.Coordinate = &mesh.Coordinate{Vec: []float64{math.NaN()}} }), "")
	require.Error(t, err, "NaN")
	_, err = b.add(signedProfile(t, 3, testkit.Key(3), func(p *mesh.Profile) { p.Latency = -1 }), "")
	require.Error(t, err, "negative")
	other, err := wire.Seal(wire.DomainVoucher, []byte("x"), testkit.Key(1))
	require.NoError(t, err)
	_, err = b.add(other, "")
	require.ErrorIs(t, err, mesh.ErrSignature, "another domain")
}

func TestBookIsBounded(t *testing.T) {
	b := newProfileStore(time.Now)
	for i := range profileStoreSize {
		b.entries[identity.PeerID(binary.BigEndian.AppendUint32(nil, uint32(i)))] = profileEntry{profile: mesh.Profile{Expires: time.Now().Add(time.Hour)}}
	}
	_, err := b.add(signedProfile(t, 1, testkit.Key(1), nil), "")
	require.NoError(t, err)
	require.Len(t, b.entries, profileStoreSize)
}

// TestForgedGossip: a member of the topic publishes what it must not.
func TestForgedGossip(t *testing.T) {
	a := start(t, 120, nil)
	b := start(t, 121, nil, a)
	evil := start(t, 122, nil, a)
	until(t, evil, connected(a))
	until(t, b, connected(a))
	forged := signedProfile(t, 130, testkit.Key(122), nil)
	true1 := signedProfile(t, 131, testkit.Key(131), nil)
	require.Eventually(t, func() bool { return evil.gossip.listeners()[a.Self()] }, 30*time.Second, 10*time.Millisecond)
	raw := func(data []byte) {
		require.NoError(t, evil.gossip.publish(t.Context(), data)) // a node's own messages pass its validator
	}
	raw(forged)
	raw(true1) // a genuine one, relayed for another, after the forged
	e := until(t, a, func(e mesh.Event) bool { _, ok := e.(mesh.ProfileHeard); return ok })
	require.Equal(t, testkit.Peer(131), e.(mesh.ProfileHeard).Profile.Peer)
	_, known := a.profiles.get(testkit.Peer(130))
	require.False(t, known)
	_, err := a.profiles.add(true1, "")
	require.ErrorIs(t, err, errStale)
}

// rawStream opens a stream of protocol id from a to b, to misbehave on.
func rawStream(t *testing.T, a, b *node, id string) network.Stream {
	s, err := a.host.NewStream(t.Context(), b.id, ProfileProtocol)
	require.NoError(t, err)
	if id != string(ProfileProtocol) {
		_ = s.Reset()
		for _, known := range inosProtocols {
			if string(known) == id {
				s, err = a.host.NewStream(t.Context(), b.id, known)
				require.NoError(t, err)
			}
		}
	}
	t.Cleanup(func() { _ = s.Reset() })
	return s
}

func TestOversizeFrameResetsTheStream(t *testing.T) {
	a, b := pair(t, 140, nil)
	for _, id := range inosProtocols {
		s := rawStream(t, a, b, string(id))
		_, err := s.Write(binary.AppendUvarint(nil, 1<<40))
		require.NoError(t, err)
		_, err = s.Read(make([]byte, 1))
		require.Error(t, err, id)
		s = rawStream(t, a, b, string(id))
		_, err = s.Write(append(binary.AppendUvarint(nil, 4), "junk"...))
		require.NoError(t, err)
		for err == nil {
			_, err = s.Read(make([]byte, 100))
		}
	}
	// The node goes on.
	_, err := a.RunJob(t.Context(), b.Self(), call("", nil), nil)
	require.NoError(t, err)
}

func TestSlowPeerIsCutOff(t *testing.T) {
	a, b := pair(t, 150, func(c *Config) { c.StallTimeout = 200 * time.Millisecond })
	for _, id := range inosProtocols {
		s := rawStream(t, a, b, string(id))
		_, err := s.Write(append(binary.AppendUvarint(nil, 10), "abc"...)) // seven bytes never come
		require.NoError(t, err)
		_, err = s.Read(make([]byte, 1))
		require.Error(t, err, id)
	}
}

func TestBadChunksAndManifests(t *testing.T) {
	blob := makeBlob(t, 1000, 100)
	cid := blob.Manifest.CID
	p := &part{}
	require.NoError(t, p.begin(cid, blob.SignedManifest, 1<<20))
	require.ErrorIs(t, p.begin(cid, blob.SignedManifest, 999), mesh.ErrProtocol, "too large")
	require.ErrorIs(t, p.begin(capsule.SumCID([]byte("x")), blob.SignedManifest, 1<<20), mesh.ErrProtocol, "another capsule")
	require.ErrorIs(t, p.add(wire.CapsuleChunk{Index: 1, Data: blob.Wasm[100:200]}), mesh.ErrProtocol, "order")
	require.ErrorIs(t, p.add(wire.CapsuleChunk{Index: 0, Data: blob.Wasm[:99]}), mesh.ErrProtocol, "length")
	require.ErrorIs(t, p.add(wire.CapsuleChunk{Index: 0, Data: blob.Wasm[1:101]}), mesh.ErrProtocol, "bytes")
	for i := range 10 {
		require.NoError(t, p.add(wire.CapsuleChunk{Index: uint32(i), Data: blob.Wasm[i*100 : i*100+100]}))
	}
	got, err := p.blob(cid)
	require.NoError(t, err)
	require.Equal(t, blob.Wasm, got.Wasm)
	bent := append([]byte(nil), blob.SignedManifest...)
	bent[len(bent)/2] ^= 1
	require.Error(t, (&part{}).begin(cid, bent, 1<<20))
}

// TestResume: the sender dies half way; the rest comes from where it broke off.
func TestResume(t *testing.T) {
	blob := makeBlob(t, 1000, 100)
	a, b := pair(t, 160, nil)
	b.w.add(blob)
	half := &part{}
	require.NoError(t, half.begin(blob.Manifest.CID, blob.SignedManifest, 1<<20))
	for i := range 5 {
		require.NoError(t, half.add(wire.CapsuleChunk{Index: uint32(i), Data: blob.Wasm[i*100 : i*100+100]}))
	}
	a.partial.keep(blob.Manifest.CID, half)
	s, end, err := a.open(t.Context(), b.Self(), CapsuleProtocol)
	require.NoError(t, err)
	require.NoError(t, a.receive(s, mesh.FetchCall{CID: blob.Manifest.CID}, half), "chunks 5 to 9 only")
	end(nil)
	require.Equal(t, blob.Wasm, half.data)
	got, err := a.FetchCapsule(t.Context(), b.Self(), mesh.FetchCall{CID: blob.Manifest.CID})
	require.NoError(t, err)
	require.Equal(t, blob.Wasm, got.Wasm)
}

func TestPartialsAreBounded(t *testing.T) {
	ps := newPartials()
	for i := range 10 {
		p := &part{manifest: capsule.Manifest{ChunkSize: 10}, data: make([]byte, 10)}
		ps.keep(capsule.SumCID([]byte{byte(i)}), p)
	}
	require.Len(t, ps.parts, maxPartials)
	last := capsule.SumCID([]byte{9})
	require.Equal(t, 1, ps.take(last).chunks())
	require.Equal(t, 0, ps.take(last).chunks(), "it was handed out")
}

func TestRateIsBounded(t *testing.T) {
	stream := func(p peer.ID, id protocol.ID) *inbound {
		return &inbound{peer: p, net: string(p), protocol: id, end: func() {}}
	}
	synctest.Test(t, func(t *testing.T) {
		g := newStreamLimiter()
		start := time.Now()
		for range streamBurst + streamsPerSecond/2 {
			s := stream("p", JobProtocol)
			require.True(t, g.admit(t.Context(), s))
			g.done(s)
		}
		require.InDelta(t, 0.5, time.Since(start).Seconds(), 0.01, "held back, not refused")
		// Many at the same time wait in line, up to a second of it.
		var held []*inbound
		for range streamsAtOnce {
			s := stream("p", CapsuleProtocol)
			if wait, ok := g.reserve(s); ok && wait > 0 {
				held = append(held, s)
			}
		}
		require.Len(t, held, streamsAtOnce)
		_, ok := g.reserve(stream("p", CapsuleProtocol))
		require.False(t, ok, "too many open")
		_, ok = g.reserve(stream("q", CapsuleProtocol))
		require.True(t, ok, "another peer")
		for _, s := range held {
			g.done(s)
		}
		refused := false
		for range 2 * streamsPerSecond {
			s := stream("p", ProfileProtocol)
			_, ok := g.reserve(s)
			if !ok {
				refused = true
				break
			}
			g.done(s)
		}
		require.True(t, refused, "too fast for too long")
		g.forget("p")
		_, ok = g.reserve(stream("p", ProfileProtocol))
		require.False(t, ok, "leaving refills nothing")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		time.Sleep(500 * time.Millisecond)
		require.False(t, g.admit(ctx, stream("p", ProfileProtocol)), "nobody waits after the end")
	})
}

func TestDHTModeAndKey(t *testing.T) {
	require.Equal(t, dht.ModeServer, dhtMode)
	k, err := keyOf("gpu")
	require.NoError(t, err)
	require.Equal(t, capsule.SumCID([]byte("inos/capability/1/gpu")).String(), k.String())
}

func TestBadConfig(t *testing.T) {
	for name, c := range map[string]Config{
		"no key":     {},
		"bootstrap":  {Key: testkit.Key(1), Bootstrap: []string{"x"}},
		"listen":     {Key: testkit.Key(1), Listen: []string{"x"}},
		"many":       {Key: testkit.Key(1), Bootstrap: make([]string, MaxBootstrap+1)},
		"listen tcp": {Key: testkit.Key(1), Listen: []string{"/ip4/127.0.0.1/tcp/0"}},
	} {
		_, err := New(c)
		require.Error(t, err, name)
	}
}
