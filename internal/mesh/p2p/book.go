package p2p

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/wire"
)

// bookSize bounds the profiles remembered. Expired ones go first, then the strangers
// heard of last: who makes up nodes by the thousand drives out its own.
const bookSize = 4096

// errStale refuses a profile that is no newer than the one known: a replay, or
// a copy that came by another way.
var errStale = errors.New("p2p: profile is not newer than the one known")

// errTooMany refuses a node not heard of before, for now.
var errTooMany = errors.New("p2p: too many new nodes from there")

// book remembers the newest verified profile of each node, as it was signed.
type book struct {
	now  func() time.Time
	size int
	keep func(identity.PeerID) bool // is never forgotten to make room; may be nil
	// from says what is known of a node's clock; nil: it is this node's.
	from func(identity.PeerID, time.Time) mesh.Source

	mu    sync.Mutex
	pages map[identity.PeerID]page
}

type page struct {
	profile mesh.Profile
	signed  []byte
	since   time.Time
}

func newBook(now func() time.Time) *book {
	return &book{now: now, size: bookSize, pages: map[identity.PeerID]page{}}
}

// take verifies a Signed profile and keeps it. giver is who gave it, if that may be its
// node itself. Errors match mesh.ErrSignature, mesh.ErrProfile, mesh.ErrProtocol or
// errStale; with errStale the profile known is returned.
func (b *book) take(signed []byte, giver identity.PeerID) (mesh.Profile, error) {
	return b.takeNews(signed, giver, func() bool { return true })
}

// takeNews is take that asks before it takes in a node not heard of before: errTooMany
// when the answer is no.
func (b *book) takeNews(signed []byte, giver identity.PeerID, news func() bool) (mesh.Profile, error) {
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
	known, ok := b.pages[p.Peer]
	switch {
	case ok && known.profile.Sequence >= p.Sequence:
		return known.profile.Clone(), errStale
	case !ok && !news():
		return mesh.Profile{}, fmt.Errorf("%w: %s", errTooMany, p.Peer)
	case !ok:
		known.since = now
		if len(b.pages) >= b.size {
			b.forgetOne(now)
		}
	}
	b.pages[p.Peer] = page{profile: p, signed: append([]byte(nil), signed...), since: known.since}
	return p.Clone(), nil
}

// forgetOne makes room for one more.
func (b *book) forgetOne(now time.Time) {
	var last identity.PeerID
	var since time.Time
	for p, pg := range b.pages {
		if !pg.profile.Expires.After(now) {
			delete(b.pages, p)
			return
		}
		if (last == "" || pg.since.After(since)) && (b.keep == nil || !b.keep(p)) {
			last, since = p, pg.since
		}
	}
	delete(b.pages, last)
}

// get returns the newest profile of p, expired or not.
func (b *book) get(p identity.PeerID) (mesh.Profile, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	pg, ok := b.pages[p]
	return pg.profile.Clone(), ok
}

// signed returns p's newest profile as it travels, nil when there is none or it
// has expired.
func (b *book) signed(p identity.PeerID) []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	if pg := b.pages[p]; pg.profile.Expires.After(b.now()) {
		return pg.signed
	}
	return nil
}

// fresh returns p's profile unless it has expired.
func (b *book) fresh(p identity.PeerID) (mesh.Profile, bool) {
	profile, ok := b.get(p)
	return profile, ok && profile.Expires.After(b.now())
}
