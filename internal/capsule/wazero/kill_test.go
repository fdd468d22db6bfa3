package wazero

import (
	"testing"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/testkit/capsules"
)

// A kill is told to the capsule before anything ends it: by the kill word, and by a
// change of each word that it may be about to sleep on.
func TestAKillIsTold(t *testing.T) {
	wasm := capsules.Built(t, "hostile/silence")
	rt, err := New(Config{})
	require.NoError(t, err)
	m, err := rt.Compile(t.Context(), wasm)
	require.NoError(t, err)
	live, err := m.Instantiate(t.Context(), 1, 0)
	require.NoError(t, err)
	in := live.(*instance)
	word := func(off uint32) uint32 {
		v, err := in.mem.Load32(in.control + off)
		require.NoError(t, err)
		return v
	}
	bell, space := word(capsule.OffCommandDoorbell), word(capsule.OffEventSpace)
	stop := in.stop
	in.stop = func() {} // the capsule loops on, and its memory stays
	in.Kill()
	require.EqualValues(t, 1, word(capsule.OffKill))
	require.Equal(t, bell+1, word(capsule.OffCommandDoorbell))
	require.Equal(t, space+1, word(capsule.OffEventSpace))
	stop()
	<-in.Done()
	require.ErrorIs(t, in.Err(), capsule.ErrKilled)
	require.NoError(t, rt.Close())
}
