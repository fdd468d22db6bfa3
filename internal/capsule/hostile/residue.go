package hostile

import (
	"testing"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
)

// How an instance of residue.wat ends, by its memory epoch modulo 8.
const (
	returns       = iota // when it is told to end
	growsReturns         // has grown its memory
	traps                // by itself
	panicked             // by itself
	loopsOn              // deaf to the host: its thread is ended
	endsByItself         // before it is told to
	trapsAtItsEnd        // when it is told to end
	growsAtItsEnd        // and returns
	waysToEnd
	hostGrowsIt = waysToEnd // as returns; its host has grown its memory
)

// TestResidue starts instance after instance of residue.wat, two at a time: each finds its
// memory, its length, its globals and its tables as the module defines them, whatever
// those before it left in theirs and whichever way they came to their ends.
func TestResidue(t *testing.T, host Host) {
	m, err := host.Runtime.Compile(t.Context(), host.Built(t, "hostile/residue"))
	require.NoError(t, err)
	epoch := uint32(0)
	start := func(how int) capsule.Instance {
		epoch += waysToEnd
		in, err := m.Instantiate(t.Context(), epoch&^(waysToEnd-1)|uint32(how%waysToEnd), 0)
		require.NoError(t, err)
		for left := uint32(0); left == 0; {
			select {
			case <-in.Doorbell():
			case <-in.Done():
			}
			if left, err = in.Memory().Load32(in.Control() + capsule.OffFrozen); left == 0 {
				require.NoError(t, in.Err(), "after %d instances", epoch/waysToEnd-1)
			}
			require.NoError(t, err)
		}
		return in
	}
	end := func(in capsule.Instance, how int) {
		switch how {
		case traps, panicked, endsByItself:
			<-in.Done()
			if how == endsByItself {
				require.NoError(t, in.Err())
			} else {
				require.Error(t, in.Err())
				require.NotErrorIs(t, in.Err(), capsule.ErrKilled)
			}
		case hostGrowsIt:
			_, err := in.Memory().Grow(uint64(m.Info().MinPages+2) * capsule.PageSize)
			require.NoError(t, err)
		}
		in.Kill()
		<-in.Done()
	}
	for how := range hostGrowsIt + 1 {
		for _, then := range []int{returns, how} {
			one, other := start(how), start(then)
			end(one, how)
			end(other, then)
		}
	}
	for range 3 { // what comes after the last of them, and twice on the same
		end(start(returns), returns)
	}
}
