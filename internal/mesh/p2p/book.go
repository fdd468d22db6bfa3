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

// bookSize bounds the profiles remembered; expired ones go first, then those
// that expire next.
const bookSize = 4096

// errStale refuses a profile that is no newer than the one known: a replay, or
// a copy that came by another way.
var errStale = errors.New("p2p: profile is not newer than the one known")

// book remembers the newest verified profile of each node, as it was signed.
type book struct {
	now func() time.Time

	mu    sync.Mutex
	pages map[identity.PeerID]page
}

type page struct {
	profile mesh.Profile
	signed  []byte
}

func newBook(now func() time.Time) *book {
	return &book{now: now, pages: map[identity.PeerID]page{}}
}

// take verifies a Signed profile and keeps it. Errors match mesh.ErrSignature,
// mesh.ErrProfile, mesh.ErrProtocol or errStale; with errStale the profile known
// is returned.
func (b *book) take(signed []byte) (mesh.Profile, error) {
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
	if err := p.Check(now); err != nil {
		return mesh.Profile{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if known, ok := b.pages[p.Peer]; ok && known.profile.Sequence >= p.Sequence {
		return known.profile.Clone(), errStale
	}
	if len(b.pages) >= bookSize {
		b.forgetOne(now)
	}
	b.pages[p.Peer] = page{profile: p, signed: append([]byte(nil), signed...)}
	return p.Clone(), nil
}

func (b *book) forgetOne(now time.Time) {
	var first identity.PeerID
	var at time.Time
	for p, pg := range b.pages {
		if !pg.profile.Expires.After(now) {
			delete(b.pages, p)
			return
		}
		if first == "" || pg.profile.Expires.Before(at) {
			first, at = p, pg.profile.Expires
		}
	}
	delete(b.pages, first)
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
