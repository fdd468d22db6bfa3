// Package blobs is a store of modules and their manifests for the tests of the kernel. Only
// tests import it.
package blobs

import (
	"context"
	"slices"
	"sync"

	"inos/internal/capsule"
	"inos/internal/identity"
	"inos/internal/mesh"
)

// Store is a lifecycle.Blobs in memory. The zero value is empty; it is safe for concurrent
// use.
type Store struct {
	mu    sync.Mutex
	blobs map[capsule.CID]mesh.Blob
	pins  []*capsule.CID
}

// Has implements lifecycle.Blobs.
func (s *Store) Has(cid capsule.CID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.blobs[cid]
	return ok
}

// Capsule implements lifecycle.Blobs. Errors match mesh.ErrNotFound.
func (s *Store) Capsule(_ context.Context, cid capsule.CID) (mesh.Blob, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	blob, ok := s.blobs[cid]
	if !ok {
		return blob, mesh.ErrNotFound
	}
	return blob, nil
}

// CapsuleOf implements lifecycle.Blobs. It takes a blob without a publisher for this node's.
func (s *Store) CapsuleOf(ctx context.Context, cid capsule.CID, trusted func(identity.PeerID) bool) (mesh.Blob, error) {
	blob, err := s.Capsule(ctx, cid)
	if blob.Publisher != "" && !trusted(blob.Publisher) {
		blob.Publisher, blob.Manifest = "", capsule.Manifest{CID: cid}
	}
	return blob, err
}

// Accept implements lifecycle.Blobs.
func (s *Store) Accept(blob mesh.Blob) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.blobs == nil {
		s.blobs = make(map[capsule.CID]mesh.Blob)
	}
	s.blobs[blob.Manifest.CID] = blob
	return nil
}

// Pin implements lifecycle.Blobs. Calling unpin again is harmless.
func (s *Store) Pin(cid capsule.CID, _ string) (unpin func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	pin := &cid
	s.pins = append(s.pins, pin)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.pins = slices.DeleteFunc(s.pins, func(other *capsule.CID) bool { return other == pin })
	}
}

// Pins is how many pins have not been undone.
func (s *Store) Pins() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.pins)
}
