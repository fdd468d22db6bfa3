package p2p

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"inos/internal/fault"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/wire"
)

// profileStoreSize is the most profiles stored. Expired ones are dropped first, then the unproven
// nodes heard of last: an inventor of thousands of nodes displaces its own.
const profileStoreSize = 4096

// errStale refuses a profile that is no newer than the one known: a replay, or
// a copy that came by another way.
var errStale = fault.Internal("p2p: profile is not newer than the one known")

// errTooMany refuses a node not heard of before, for now.
var errTooMany = fault.Internal("p2p: too many new nodes from there")

// profileStore holds the newest verified profile of each node, as it was signed.
type profileStore struct {
	now  func() time.Time
	size int
	keep func(identity.PeerID) bool // is never forgotten to make room; may be nil
	// from says what is known of a node's clock; nil: it is this node's.
	from func(identity.PeerID, time.Time) mesh.Source

	mu      sync.Mutex
	entries map[identity.PeerID]profileEntry
}

type profileEntry struct {
	profile mesh.Profile
	signed  []byte
	since   time.Time
}

func newProfileStore(now func() time.Time) *profileStore {
	return &profileStore{now: now, size: profileStoreSize, entries: map[identity.PeerID]profileEntry{}}
}

// add verifies a Signed profile and stores it. giver is the peer that gave it, if that may be the
// profile's own node. Errors match mesh.ErrSignature, mesh.ErrProfile, mesh.ErrProtocol or
// errStale; with errStale add returns the known profile.
func (b *profileStore) add(signed []byte, giver identity.PeerID) (mesh.Profile, error) {
	return b.addNew(signed, giver, func() bool { return true })
}

// addNew is add that calls news before it stores a node not heard of before, and returns errTooMany
// when news returns false.
func (b *profileStore) addNew(signed []byte, giver identity.PeerID, news func() bool) (mesh.Profile, error) {
	payload, signer, err := wire.Open(wire.DomainProfile, signed)
	if err != nil {
		if errors.Is(err, wire.ErrSignature) {
			return mesh.Profile{}, fmt.Errorf("%w: %w", mesh.ErrSignature, err)
		}
		return mesh.Profile{}, fmt.Errorf("%w: %w", mesh.ErrProtocol, err)
	}
	p, err := wire.DecodeProfile(payload)
	if errors.Is(err, wire.ErrSignature) {
		return mesh.Profile{}, fmt.Errorf("%w: %w", mesh.ErrSignature, err)
	}
	if err != nil {
		return mesh.Profile{}, fmt.Errorf("%w: %w", mesh.ErrProtocol, err)
	}
	if p.Peer != signer {
		return mesh.Profile{}, fmt.Errorf("%w: profile of %.80q signed by %s", mesh.ErrSignature, string(p.Peer), signer)
	}
	now := b.now()
	source := mesh.Source{}
	if b.from != nil {
		source = b.from(p.Peer, now)
	}
	source.Direct = p.Peer == giver
	if p, err = p.Heard(source, now); err == nil {
		err = p.Check(now)
	}
	if err != nil {
		return mesh.Profile{Peer: p.Peer}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	known, ok := b.entries[p.Peer]
	switch {
	case ok && known.profile.Sequence >= p.Sequence:
		return known.profile.Clone(), errStale
	case !ok && !news():
		return mesh.Profile{}, fmt.Errorf("%w: %s", errTooMany, p.Peer)
	case !ok:
		known.since = now
		if len(b.entries) >= b.size {
			b.forgetOne(now)
		}
	}
	b.entries[p.Peer] = profileEntry{profile: p, signed: append([]byte(nil), signed...), since: known.since}
	return p.Clone(), nil
}

// forgetOne makes room for one more.
func (b *profileStore) forgetOne(now time.Time) {
	var last identity.PeerID
	var since time.Time
	for p, pg := range b.entries {
		if !pg.profile.Expires.After(now) {
			delete(b.entries, p)
			return
		}
		if (last == "" || pg.since.After(since)) && (b.keep == nil || !b.keep(p)) {
			last, since = p, pg.since
		}
	}
	delete(b.entries, last)
}

// get returns the newest profile of p, expired or not.
func (b *profileStore) get(p identity.PeerID) (mesh.Profile, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	pg, ok := b.entries[p]
	return pg.profile.Clone(), ok
}

// signed returns p's newest profile as it travels, nil when there is none or it
// has expired.
func (b *profileStore) signed(p identity.PeerID) []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	if pg := b.entries[p]; pg.profile.Expires.After(b.now()) {
		return pg.signed
	}
	return nil
}

// fresh returns p's profile unless it has expired.
func (b *profileStore) fresh(p identity.PeerID) (mesh.Profile, bool) {
	profile, ok := b.get(p)
	return profile, ok && profile.Expires.After(b.now())
}
