package payment

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/credit"
)

// FuzzProof: bytes that decode to a proof equal its encoding.
func FuzzProof(f *testing.F) {
	x := Proof{Hold: credit.HoldID{Ledger: "ledger:x", Nonce: credit.Nonce{1, 2}}, Cost: 5, Until: time.Unix(0, 99), Voucher: []byte("v"), Receipt: []byte("r")}
	f.Add(x.encode())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		x, ok := decodeProof(b)
		if ok {
			require.Equal(t, b, x.encode())
		}
	})
}
