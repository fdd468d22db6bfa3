package bridge

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/credit"
	"inos/internal/identity"
	"inos/internal/wire"
)

// Reading a long log holds up nothing else: what is due meanwhile happens meanwhile.
func TestReadingTheLogRests(t *testing.T) {
	log := &credit.MemoryLog{}
	l, err := credit.OpenLedger(credit.Config{Log: log, Codec: wire.Credit{}})
	require.NoError(t, err)
	of := identity.LedgerIDOf(make([]byte, 32))
	require.NoError(t, l.OpenAccount(of, 1, time.Now()))
	for range 50_000 {
		require.NoError(t, l.Grant(of, 1, time.Now()))
	}
	var due atomic.Bool
	time.AfterFunc(time.Millisecond, func() { due.Store(true) })
	rows, meanwhile := 0, false
	_, err = credit.Verify(log, resting(func(credit.Entry) {
		rows++
		meanwhile = meanwhile || due.Load()
	}))
	require.NoError(t, err)
	require.Equal(t, 50_001, rows)
	require.True(t, meanwhile)
}
