package p2p

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/ipfs/go-cid"
	dht "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p-kad-dht/records"
	kb "github.com/libp2p/go-libp2p-kbucket"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/multiformats/go-multihash"

	"inos/internal/mesh"
	"inos/internal/order"
)

const (
	capabilityKey  = "inos/capability/1/"
	maxProviders   = 256              // looked at by one Find
	lookupTime     = 15 * time.Second // of a Find that the caller does not bound
	reprovideEvery = 10 * time.Minute
	provideFor     = 3 * reprovideEvery // Kademlia's two days would list the dead of yesterday
	settle         = 250 * time.Millisecond
	askAgain       = time.Second
	enoughHolders  = 20 // Kademlia's k: a newcomer is one of many then
	kadProtocol    = protocol.ID(Prefix + "/kad/1.0.0")
)

func newDHT(ctx context.Context, h host.Host) (*dht.IpfsDHT, error) {
	return dht.New(ctx, dhtHost(h), dht.Mode(dhtMode), dht.ProtocolPrefix(Prefix), dht.DisableValues(),
		dht.ProviderManagerOpts(records.ProvideValidity(provideFor), records.ProviderAddrTTL(provideFor)))
}

// keyOf is the DHT key under which the nodes with capability are found.
func keyOf(capability string) (cid.Cid, error) {
	mh, err := multihash.Sum([]byte(capabilityKey+capability), multihash.SHA2_256, -1)
	if err != nil {
		return cid.Undef, err
	}
	return cid.NewCidV1(cid.Raw, mh), nil
}

// provider keeps this node's provider records in the directory: at once when
// they change, when a peer appears that may hold them, and every so often.
type provider struct {
	m      *Mesh
	kicked chan struct{} // capacity 1

	mu           sync.Mutex
	capabilities []string // that the records shall be of
	written      bool     // they are
}

// kick says that a peer appeared which may hold records.
func (p *provider) kick() { ring(p.kicked) }

func (p *provider) set(ctx context.Context, capabilities []string) error {
	p.mu.Lock()
	if !slices.Equal(p.capabilities, capabilities) {
		p.capabilities, p.written = slices.Clone(capabilities), false
	}
	written := p.written
	p.mu.Unlock()
	if written {
		return nil // run keeps the records alive
	}
	return p.put(ctx)
}

// run writes the records again and again: soon after a peer has come, since whoever is
// to keep one may not be in the routing table yet, or lose it, and nobody says so; then
// ever more seldom.
func (p *provider) run() {
	again := time.NewTimer(reprovideEvery)
	defer again.Stop()
	soon, pause := false, reprovideEvery
	for {
		select {
		case <-p.kicked:
			if soon || p.m.dht.RoutingTable().Size() >= enoughHolders {
				continue
			}
			// Peers come in groups, and the routing table takes one in only after
			// asking it something.
			again.Reset(settle)
			soon, pause = true, askAgain
		case <-again.C:
			soon = false
			ctx, cancel := context.WithTimeout(p.m.life, time.Minute)
			_ = p.put(ctx) // comes again
			cancel()
			if p.m.dht.RoutingTable().Size() == 0 && len(p.m.host.Network().Peers()) > 0 {
				// The DHT asks a newcomer once whether it answers; an answer lost is a
				// peer lost. This makes it ask all connected peers again.
				_ = p.m.dht.Bootstrap(p.m.life)
				pause = askAgain
			}
			again.Reset(pause)
			pause = min(4*pause, reprovideEvery)
		case <-p.m.life.Done():
			return
		}
	}
}

// put writes all records. That nobody is there to take them is no error.
func (p *provider) put(ctx context.Context) error {
	p.mu.Lock()
	capabilities := p.capabilities
	p.mu.Unlock()
	if err := p.write(ctx, capabilities); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.written = slices.Equal(p.capabilities, capabilities)
	return nil
}

func (p *provider) write(ctx context.Context, capabilities []string) error {
	var wg sync.WaitGroup
	errs := make([]error, len(capabilities))
	slots := make(chan struct{}, 4)
	for i, capability := range capabilities {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			key, err := keyOf(capability)
			if err == nil {
				err = p.m.dht.Provide(ctx, key, true)
			}
			if !errors.Is(err, kb.ErrLookupFailure) {
				errs[i] = err
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// Find asks the DHT for providers of capability, connects to each and hears its
// profile, eight at a time. Providers that cannot be reached, whose profile has
// expired or no longer names the capability are left out. It returns when nobody is
// left to be heard, or, once somebody was, when nobody else is within a while; whom it
// has begun to dial then is an event when heard. When ctx ends, what was found so far is
// returned, or the error if that is nothing.
func (m *Mesh) Find(ctx context.Context, capability string) ([]mesh.Profile, error) {
	if err := m.alive(); err != nil {
		return nil, err
	}
	key, err := keyOf(capability)
	if err != nil {
		return nil, err
	}
	lookup, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	m.awaitRoute(lookup)
	f := &finding{m: m, heard: make(chan hearing, maxProviders)}
	found := f.run(lookup, m.dht.FindProvidersAsync(lookup, key, maxProviders), capability)
	if len(found) == 0 {
		if err := m.alive(); err != nil {
			return nil, err
		}
		return nil, mesh.ContextError(ctx)
	}
	order.By(found, func(a, b mesh.Profile) int { return cmp.Compare(a.Peer, b.Peer) })
	return found, nil
}
