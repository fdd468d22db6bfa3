package payment

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"inos/internal/credit"
)

// shown is one line of WriteProofs. Signed messages are in base64.
type shown struct {
	Ledger   string `json:"ledger,omitempty"`
	Cost     string `json:"costMicro,omitempty"` // text, so that no JSON reader rounds it
	Until    string `json:"voucherExpires,omitempty"`
	Nonce    string `json:"nonce,omitempty"`
	Voucher  []byte `json:"voucher,omitempty"`
	Receipt  []byte `json:"receipt,omitempty"`
	Drawer   string `json:"drawer,omitempty"`
	Sequence uint64 `json:"sequence,omitempty"`
	Cheque   []byte `json:"cheque,omitempty"`
	Worker   string `json:"worker,omitempty"`
	Job      string `json:"job,omitempty"`
}

// WriteProofs prints the proofs in keep, one JSON object a line: the unpaid jobs done here,
// oldest first, with their vouchers; the newest cheque of each node; the receipts of what this
// node has paid for. Errors are those of Proofs and Receipts, or w's.
func WriteProofs(w io.Writer, keep Store, codec credit.Codec) error {
	out := bufio.NewWriter(w)
	enc := json.NewEncoder(out)
	proofs, err := Proofs(keep)
	if err != nil {
		return err
	}
	for _, p := range proofs {
		if err := enc.Encode(shown{Ledger: string(p.Hold.Ledger), Cost: strconv.FormatUint(p.Cost, 10),
			Until: p.Until.UTC().Format(time.RFC3339Nano), Nonce: hex.EncodeToString(p.Hold.Nonce[:]),
			Voucher: p.Voucher, Receipt: p.Receipt}); err != nil {
			return err
		}
	}
	for _, key := range keep.Keys(chequePrefix) {
		b, _ := keep.Get(key)
		if len(b) < 8 {
			return fmt.Errorf("%w: %q", ErrProof, key)
		}
		if err := enc.Encode(shown{Drawer: strings.TrimPrefix(key, chequePrefix), Sequence: binary.BigEndian.Uint64(b),
			Cheque: b[8:]}); err != nil {
			return err
		}
	}
	paid, err := Receipts(keep, codec)
	if err != nil {
		return err
	}
	for _, k := range paid {
		r := k.Receipt
		if err := enc.Encode(shown{Worker: string(r.Worker), Job: r.JobID, Cost: strconv.FormatUint(r.Cost, 10),
			Nonce: hex.EncodeToString(r.VoucherNonce[:]), Receipt: k.Signed}); err != nil {
			return err
		}
	}
	return out.Flush()
}
