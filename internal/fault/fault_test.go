package fault

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	tried    = Retryable("test_tried", "test: tried").Broad()
	stated   = Final("test_found", "test: found")
	stated2  = Retryable("test_found_too", "test: found, too")
	counts   = Final("test_counts", "test: counts").Decisive()
	unspoken = Internal("test: unspoken")
)

// heard is a Carrier, as what another node says is.
type heard struct{ e *Error }

func (heard) Error() string   { return "heard" }
func (h heard) Fault() *Error { return h.e }

// late matches the standard library's without wrapping it.
type late struct{}

func (late) Error() string        { return "late" }
func (late) Is(target error) bool { return target == context.DeadlineExceeded }

func TestWhichErrorOfAChainCounts(t *testing.T) {
	wrap := func(errs ...error) error {
		switch len(errs) {
		case 2:
			return fmt.Errorf("1: %w: %w", errs[0], errs[1])
		case 3:
			return fmt.Errorf("1: %w", errors.Join(errs...))
		}
		return fmt.Errorf("2: %w", fmt.Errorf("1: %w", errs[0]))
	}
	for _, c := range []struct {
		err  error
		want *Error
	}{
		{stated, stated},
		{wrap(stated), stated},
		{wrap(stated, stated2), stated}, // the outermost
		{wrap(stated2, stated), stated2},
		{wrap(tried, stated), stated}, // what it wraps says why
		{wrap(tried), tried},
		{wrap(tried, errors.New("?")), tried},
		{wrap(stated, tried, counts), counts},
		{wrap(counts, stated, tried), counts},
		{wrap(unspoken, tried), tried},
		{wrap(unspoken), unspoken},
		{wrap(heard{stated}, stated2), stated},
		{wrap(heard{nil}, stated2), stated2},
		{wrap(heard{counts.With(true)}, stated), counts.With(true)},
		{wrap(stated, heard{counts.With(true)}), stated}, // another node cannot be decisive
		{wrap(unspoken, context.Canceled), Cancelled},
		{wrap(tried, context.Canceled), tried},
		{wrap(late{}), Deadline},
		{wrap(errors.ErrUnsupported), Unsupported},
		{errors.New("?"), Unexpected},
		{nil, Unexpected},
	} {
		require.Equal(t, c.want, Find(c.err), "%v", c.err)
	}
	require.Equal(t, stated2, Among(wrap(counts, stated, stated2), func(e *Error) bool { return e.Retryable() }))
	require.Nil(t, Among(stated, func(e *Error) bool { return e.Retryable() }))
}

func TestSentinels(t *testing.T) {
	require.ErrorIs(t, fmt.Errorf("%w: with more", stated), stated)
	require.NotErrorIs(t, stated.With(true), stated)
	require.True(t, stated.With(true).Retryable())
	require.Equal(t, Retryable("queue_full", ""), Lookup("queue_full"))
	require.Nil(t, Lookup("test_none"))
	require.True(t, stated.Of("some", "test"))
	require.False(t, stated.Of("stated"))
	require.False(t, unspoken.Of("test"), "it is not for the console")
	require.Equal(t, "internal", unspoken.Code())
}
