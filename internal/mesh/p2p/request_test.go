package p2p

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"inos/internal/identity"
	"inos/internal/mesh"
)

func TestNotes(t *testing.T) {
	a, b := pair(t, 900, func(c *Config) {
		c.Requests = map[string]mesh.RequestFunc{
			mesh.RequestTrace: func(_ context.Context, from identity.PeerID, body []byte) ([]byte, error) {
				if len(body) == 0 {
					return nil, errors.New("no")
				}
				return append([]byte(from), body...), nil
			},
		}
	})
	answer, err := a.Request(t.Context(), b.Self(), mesh.RequestTrace, []byte("hello"))
	require.NoError(t, err)
	require.Equal(t, string(a.Self())+"hello", string(answer))
	_, err = a.Request(t.Context(), b.Self(), mesh.RequestTrace, nil)
	require.Error(t, err, "refused")
	_, err = a.Request(t.Context(), b.Self(), mesh.RequestCheque, []byte("x"))
	require.Error(t, err, "nobody takes them")
	_, err = a.Request(t.Context(), b.Self(), "unknown", []byte("x"))
	require.ErrorIs(t, err, mesh.ErrUnsent)
	_, err = a.Request(t.Context(), b.Self(), mesh.RequestTrace, bytes.Repeat([]byte("x"), mesh.MaxRequestBody+1))
	require.ErrorIs(t, err, mesh.ErrTooBig)
	_, err = a.RunJob(t.Context(), b.Self(), call("", nil), nil)
	require.NoError(t, err, "the node goes on")
}
