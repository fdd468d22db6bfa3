package mesh

import (
	"context"
	"encoding/binary"
	"time"

	"inos/internal/background"
)

const (
	sequenceKey = "profile sequence"
	// sequenceFirst is how often Run looks for a sequence until there is one, sequenceEvery how
	// often it writes it from then on.
	sequenceFirst = 2 * time.Second
	sequenceEvery = time.Minute
)

// Values is a durable map.
type Values interface {
	Get(key string) ([]byte, bool)
	Put(key string, value []byte) error
}

// SavedSequence stores an upper bound of the sequence numbers of a node's profiles, from which the
// next run continues. By the clock alone, a node whose clock was put back would look like a replay
// of itself.
type SavedSequence struct {
	keep Values // nil: it ends with the program
	mesh func() (Mesh, error)
}

// NewSavedSequence stores the sequence of the mesh that the node has joined, if it has one. keep
// may be nil.
func NewSavedSequence(keep Values, mesh func() (Mesh, error)) *SavedSequence {
	return &SavedSequence{keep, mesh}
}

// Last returns the number that the profiles may have reached in an earlier run; 0 when none is
// known.
func (s *SavedSequence) Last() uint64 {
	if s.keep == nil {
		return 0
	}
	if b, ok := s.keep.Get(sequenceKey); ok && len(b) == 8 {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// save writes the highest number possible until the next save, and reports whether it has.
func (s *SavedSequence) save() bool {
	m, err := s.mesh()
	if err != nil {
		return false
	}
	of, ok := m.(interface{ Sequence() uint64 })
	if !ok || of.Sequence() == 0 {
		return false
	}
	ahead := uint64(2 * sequenceEvery / time.Millisecond) // it counts milliseconds, or slower
	return s.keep.Put(sequenceKey, binary.BigEndian.AppendUint64(nil, of.Sequence()+ahead)) == nil
}

// Run writes it as soon as there is one, every minute, and once more when ctx ends.
func (s *SavedSequence) Run(ctx context.Context) {
	if s.keep == nil {
		return
	}
	defer s.save()
	first, found := context.WithCancel(ctx)
	defer found()
	background.Every(first, sequenceFirst, sequenceFirst, func(context.Context) {
		if s.save() {
			found()
		}
	})
	background.Every(ctx, sequenceEvery, sequenceEvery, func(context.Context) { s.save() })
}
