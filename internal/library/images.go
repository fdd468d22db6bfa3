package library

import (
	"context"
	"fmt"
	"sync"

	"inos/internal/budget"
	"inos/internal/capsule"
)

// DefaultImages is the default bound of an Images, in bytes.
const DefaultImages = 256 << 20

// Images keeps snapshots of capsules by CID, for as long as the program runs. Past its bound the
// oldest are dropped. Safe for concurrent use; nothing blocks.
type Images struct {
	memory *budget.Memory

	mu    sync.Mutex
	most  uint64 // bytes
	used  uint64
	kept  map[capsule.CID][]byte
	order []capsule.CID // oldest first
}

// NewImages keeps up to most bytes, which it takes from memory. most 0 means DefaultImages.
// memory nil means no budget.
func NewImages(most uint64, memory *budget.Memory) *Images {
	if most == 0 {
		most = DefaultImages
	}
	return &Images{memory: memory, most: most, kept: make(map[capsule.CID][]byte)}
}

// PutImage stores image, which must not change afterwards, under cid. Errors match ErrMismatch,
// ErrFull when the image alone exceeds the bound, or budget.ErrFull.
func (s *Images) PutImage(_ context.Context, cid capsule.CID, image []byte) error {
	if got := capsule.SumCID(image); got != cid {
		return fmt.Errorf("%w: snapshot should be %s, is %s", ErrMismatch, cid, got)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.kept[cid]; ok {
		return nil
	}
	size := uint64(len(image))
	if size > s.most {
		return fmt.Errorf("%w: a snapshot of %d bytes, at most %d", ErrFull, size, s.most)
	}
	for s.used+size > s.most {
		s.forget()
	}
	for err := s.memory.Take(budget.Snapshots, size); err != nil; err = s.memory.Take(budget.Snapshots, size) {
		if len(s.order) == 0 {
			return err
		}
		s.forget()
	}
	s.kept[cid] = image
	s.order = append(s.order, cid)
	s.used += size
	return nil
}

// forget drops the oldest snapshot. The caller holds mu.
func (s *Images) forget() {
	size := uint64(len(s.kept[s.order[0]]))
	s.used -= size
	s.memory.Give(budget.Snapshots, size)
	delete(s.kept, s.order[0])
	s.order = s.order[1:]
}

// GetImage returns a stored snapshot. The bytes are shared and read-only.
func (s *Images) GetImage(_ context.Context, cid capsule.CID) (image []byte, ok bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	image, ok = s.kept[cid]
	return image, ok, nil
}
