package supervisor

import (
	"context"
	"errors"
	"fmt"

	"inos/internal/capsule"
)

// Images stores snapshots. Both methods may block until ctx ends.
type Images interface {
	// PutImage stores an encoded capsule.Image under its CID. It may retain image.
	PutImage(ctx context.Context, cid capsule.CID, image []byte) error
	// GetImage returns a stored image. ok is false when there is none.
	GetImage(ctx context.Context, cid capsule.CID) (image []byte, ok bool, err error)
}

// imageLimit is the largest memory of an image that is restored, in bytes.
const imageLimit = 1 << 30

// snapshot takes an image of a paused capsule and stores it. The capsule stays paused.
func (s *Supervisor) snapshot(ctx context.Context, c *capsule.Capsule, cmd capsule.Command) capsule.Reply {
	im, r, _ := c.Snapshot(ctx, cmd)
	if r.Code != capsule.OK {
		return r
	}
	image := im.Encode(cmd.Snapshot == nil || cmd.Snapshot.Compress)
	cid := capsule.SumCID(image)
	if err := s.cfg.Images.PutImage(ctx, cid, image); err != nil {
		r.Code, r.Message = capsule.Refused, fmt.Sprintf("supervisor: keeping the snapshot: %v", err)
		if ctx.Err() != nil {
			r.Code = capsule.Deadline
		}
		return r
	}
	r.SnapshotCID = cid.String()
	return r
}

// image returns the snapshot that a spawn starts from: its bytes are one, or its CID names a stored
// one. nil means that it starts from a module. Errors match capsule.ErrImage or ErrWrongBytes, or
// are those of Images.
func (s *Supervisor) image(ctx context.Context, sp spec) (*capsule.Image, error) {
	b := sp.wasm
	if b == nil && s.cfg.Images != nil {
		kept, ok, err := s.cfg.Images.GetImage(ctx, sp.cid)
		switch {
		case err != nil:
			return nil, fmt.Errorf("supervisor: finding the snapshot: %w", err)
		case ok && capsule.SumCID(kept) != sp.cid:
			return nil, fmt.Errorf("%w: of the snapshot %s", ErrWrongBytes, sp.cid)
		case ok:
			b = kept
		}
	}
	if !capsule.IsImage(b) {
		return nil, nil
	}
	limit := least(sp.memoryLimit, imageLimit)
	im, err := capsule.DecodeImage(b, limit)
	if err != nil {
		return nil, err
	}
	return im, nil
}

var errNoImages = fmt.Errorf("supervisor: snapshot: this node keeps none: %w", errors.ErrUnsupported)
