package mesh

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/testkit"
)

// numbered is a mesh whose profiles have a sequence.
type numbered struct {
	Mesh
	sequence atomic.Uint64
}

func (n *numbered) Sequence() uint64 { return n.sequence.Load() }

// The sequence is written as soon as there is one, every minute, and at the end, each time
// ahead of what it can be by the next time; the next run reads it.
func TestSequenceOutlastsTheProgram(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keep := &testkit.KVStore{}
		m := &numbered{}
		var joined atomic.Bool
		s := NewSavedSequence(keep, func() (Mesh, error) {
			if !joined.Load() {
				return nil, errors.New("not joined")
			}
			return m, nil
		})
		require.Zero(t, s.Last())
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			s.Run(ctx)
			close(done)
		}()
		saved := func(after time.Duration, want uint64) {
			t.Helper()
			time.Sleep(after)
			synctest.Wait()
			require.Equal(t, want, NewSavedSequence(keep, nil).Last())
		}
		const ahead = 2 * 60_000
		saved(time.Minute, 0)
		joined.Store(true)
		saved(time.Minute, 0)
		m.sequence.Store(7)
		saved(sequenceFirst, 7+ahead)
		m.sequence.Store(8)
		saved(sequenceEvery-time.Second, 7+ahead)
		saved(time.Second, 8+ahead)
		m.sequence.Store(9)
		cancel()
		<-done
		saved(0, 9+ahead)

		require.NoError(t, keep.Put(sequenceKey, []byte("short")))
		saved(0, 0)
		NewSavedSequence(nil, nil).Run(t.Context())
		require.Zero(t, NewSavedSequence(nil, nil).Last())
	})
}
