package kernel

import (
	"context"
	"errors"
	"fmt"

	"inos/internal/capsule"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/mesh"
)

// capsuleFor is a capsule of this node as it is run for from: what its manifest says
// counts when its publisher is one that the policy names, from itself or this node.
func (k *Kernel) capsuleFor(ctx context.Context, from identity.PeerID, cid capsule.CID) (mesh.Blob, error) {
	blob, err := k.cfg.Blobs.CapsuleOf(ctx, cid, k.cfg.Gate.Trusts)
	if err != nil || blob.Publisher != "" {
		return blob, err
	}
	return k.cfg.Blobs.CapsuleOf(ctx, cid, func(p identity.PeerID) bool { return p == from || p == k.cfg.Self })
}

// haveCapsule returns a capsule for a job of from's, after fetching it if it is not
// here, or not from a publisher that the policy asks for. fetched counts the bytes that
// travelled.
func (k *Kernel) haveCapsule(ctx context.Context, from identity.PeerID, cid capsule.CID, fetch mesh.FetchFunc) (blob mesh.Blob, fetched uint64, err error) {
	if k.cfg.Blobs.Has(cid) {
		blob, err = k.capsuleFor(ctx, from, cid)
		if err == nil && (fetch == nil || !k.wantsPublisher(blob)) {
			return blob, 0, nil
		}
	}
	if fetch == nil {
		return mesh.Blob{}, 0, fmt.Errorf("%w: %s is not on this node", errFetch, cid)
	}
	call, room := k.fetchCall(ctx, cid)
	defer room.End()
	if blob, err = fetch(ctx, call); err != nil {
		return mesh.Blob{}, 0, fmt.Errorf("%w: %w", errFetch, err)
	}
	// Accept checks the bytes against the manifest's CID; this one against the job's.
	if capsule.SumCID(blob.Wasm) != cid {
		return mesh.Blob{}, 0, fmt.Errorf("%w: bytes are not those of %s", errFetch, cid)
	}
	fetched = uint64(len(blob.Wasm))
	room.End() // the library takes its own
	if err = k.cfg.Blobs.Accept(blob); err == nil {
		blob, err = k.capsuleFor(ctx, from, cid)
	}
	if err != nil {
		return mesh.Blob{}, 0, fmt.Errorf("%w: %w", errFetch, err)
	}
	return blob, fetched, nil
}

// wantsPublisher reports whether the policy refuses blob for who has published it: another
// manifest may do.
func (k *Kernel) wantsPublisher(blob mesh.Blob) bool {
	return errors.Is(k.cfg.Gate.Capsule(blob.Manifest, blob.Publisher), governance.ErrPublisherDenied)
}

// lacksPublisher is wantsPublisher of a capsule of this node that from wants to run.
func (k *Kernel) lacksPublisher(ctx context.Context, from identity.PeerID, cid capsule.CID) bool {
	blob, err := k.capsuleFor(ctx, from, cid)
	return err == nil && k.wantsPublisher(blob)
}

// refusedHere reports whether err is the gate's refusal of a capsule.
func refusedHere(err error) bool {
	var rejected *governance.Rejection
	return errors.As(err, &rejected)
}
