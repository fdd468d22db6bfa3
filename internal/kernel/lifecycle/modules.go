package lifecycle

import (
	"context"
	"errors"
	"fmt"

	"inos/internal/budget"
	"inos/internal/capsule"
	"inos/internal/fault"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/mesh"
)

// ErrFetch: a module or a snapshot could not be had. The error that it wraps says why.
var ErrFetch = fault.Internal("kernel: capsule could not be had")

// Modules gets modules and snapshots to where they are to run: from this node's library, or
// from another node. Its methods are safe for concurrent use.
type Modules struct {
	cfg       Config
	snapshots locations
}

// NewModules makes one.
func NewModules(c Config) *Modules { return &Modules{cfg: c} }

// For returns a capsule of this node with the manifest that counts when from runs it: one
// whose publisher the policy names, or is from itself or this node.
func (m *Modules) For(ctx context.Context, from identity.PeerID, cid capsule.CID) (mesh.Blob, error) {
	blob, err := m.cfg.Blobs.CapsuleOf(ctx, cid, m.cfg.Gate.Trusts)
	if err != nil || blob.Publisher != "" {
		return blob, err
	}
	return m.cfg.Blobs.CapsuleOf(ctx, cid, func(p identity.PeerID) bool { return p == from || p == m.cfg.Self })
}

// Have returns a capsule for a job of from. It fetches the capsule if it is not here, or not
// from a publisher that the policy asks for. fetched counts the bytes that travelled. Errors
// match ErrFetch.
func (m *Modules) Have(ctx context.Context, from identity.PeerID, cid capsule.CID, fetch mesh.FetchFunc) (blob mesh.Blob, fetched uint64, err error) {
	if m.cfg.Blobs.Has(cid) {
		blob, err = m.For(ctx, from, cid)
		if err == nil && (fetch == nil || !m.wantsPublisher(blob)) {
			return blob, 0, nil
		}
	}
	if fetch == nil {
		return mesh.Blob{}, 0, fmt.Errorf("%w: %s is not on this node", ErrFetch, cid)
	}
	call, room := m.FetchCall(ctx, cid)
	defer room.End()
	if blob, err = fetch(ctx, call); err != nil {
		return mesh.Blob{}, 0, fmt.Errorf("%w: %w", ErrFetch, err)
	}
	// Accept checks the bytes against the manifest's CID; this one against the job's.
	if capsule.SumCID(blob.Wasm) != cid {
		return mesh.Blob{}, 0, fmt.Errorf("%w: bytes are not those of %s", ErrFetch, cid)
	}
	fetched = uint64(len(blob.Wasm))
	room.End() // the library takes its own
	if err = m.cfg.Blobs.Accept(blob); err == nil {
		blob, err = m.For(ctx, from, cid)
	}
	if err != nil {
		return mesh.Blob{}, 0, fmt.Errorf("%w: %w", ErrFetch, err)
	}
	return blob, fetched, nil
}

// wantsPublisher reports whether the policy refuses blob for who has published it: another
// manifest may do.
func (m *Modules) wantsPublisher(blob mesh.Blob) bool {
	return errors.Is(m.cfg.Gate.Capsule(blob.Manifest, blob.Publisher), governance.ErrPublisherDenied)
}

// lacksPublisher is wantsPublisher of a capsule of this node that from wants to run.
func (m *Modules) lacksPublisher(ctx context.Context, from identity.PeerID, cid capsule.CID) bool {
	blob, err := m.For(ctx, from, cid)
	return err == nil && m.wantsPublisher(blob)
}

// FetchCall asks for a capsule with this node's DNA. What comes is leased in room, which the
// caller ends.
func (m *Modules) FetchCall(ctx context.Context, cid capsule.CID) (call mesh.FetchCall, room *budget.Lease) {
	room = m.cfg.Memory.Lease(budget.Library)
	return mesh.FetchCall{Envelope: m.cfg.Node.Message(ctx, mesh.FetchType, governance.Metadata{}), CID: cid, Room: room.Hold}, room
}
