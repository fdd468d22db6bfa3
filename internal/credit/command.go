package credit

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"inos/internal/identity"
)

// FormatCredits writes microcredits as credits: "1.5" for 1,500,000.
func FormatCredits(micro int64) string {
	sign, u := "", uint64(micro)
	if micro < 0 {
		sign, u = "-", -uint64(micro)
	}
	s := fmt.Sprintf("%s%d.%06d", sign, u/1e6, u%1e6)
	for s[len(s)-1] == '0' {
		s = s[:len(s)-1]
	}
	if s[len(s)-1] == '.' {
		s = s[:len(s)-1]
	}
	return s
}

// ParseCredits reads the format of FormatCredits, without a sign: "1.5" is 1,500,000. Errors
// match ErrAmount.
func ParseCredits(s string) (micro uint64, err error) {
	whole, part, point := strings.Cut(s, ".")
	bad := fmt.Errorf("%w: %.40q is no number of credits with 6 decimals at most", ErrAmount, s)
	if len(part) > 6 || point && part == "" {
		return 0, bad
	}
	digits := whole + part + "000000"[len(part):]
	if whole == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, bad
	}
	if micro, err = strconv.ParseUint(digits, 10, 64); err != nil || micro > maxAmount {
		return 0, bad
	}
	return micro, nil
}

// WriteBalances prints a table of every ledger: `inos ledger balance`.
func WriteBalances(w io.Writer, l *Ledger) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "LEDGER\tBALANCE\tPROMISED\tHELD\tLINE\tAVAILABLE\tSTATE")
	for _, b := range l.Balances() {
		status := "open"
		switch {
		case b.Revoked:
			status = "revoked"
		case b.Stranger:
			status = "stranger"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", b.Ledger, FormatCredits(b.Balance), FormatCredits(int64(b.Promised)), FormatCredits(int64(b.Held)),
			FormatCredits(int64(b.Line)), FormatCredits(int64(b.Available())), status)
	}
	return t.Flush()
}

// WriteHistory prints the last n entries, newest last, of one ledger or, when it is empty, of
// all: `inos ledger history`. It verifies the log. When n reaches back to removed entries, it
// says which are missing.
func WriteHistory(w io.Writer, log Log, ledger identity.LedgerID, n int) error {
	if n <= 0 {
		return fmt.Errorf("%w: history of %d entries", ErrConfig, n)
	}
	ring := make([]Entry, 0, min(n, 1024))
	next := 0
	_, err := Verify(log, func(e Entry) error {
		switch {
		case e.Kind != KindLetGo && ledger != "" && e.Ledger != ledger:
		case len(ring) < n:
			ring = append(ring, e)
		default:
			ring[next] = e
			next = (next + 1) % n
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(ring) > 0 && ring[0].Kind == KindLetGo { // the removed entries' line came first, and the ring has not wrapped
		if _, err := fmt.Fprintln(w, letGo(ring[0].Sequence, ring[0].Hash)); err != nil {
			return err
		}
		ring = ring[1:]
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ENTRY\tTIME\tKIND\tAMOUNT\tCOST\tJOB\tLEDGER\tPAYEE")
	for i := range ring {
		e := ring[(next+i)%len(ring)]
		fmt.Fprintf(t, "%d\t%s\t%v\t%s\t%s\t%s\t%s\t%s\n", e.Sequence, e.At.Format("2006-01-02T15:04:05.000Z"), e.Kind,
			FormatCredits(int64(e.Amount)), FormatCredits(int64(e.Cost)), e.JobID, e.Ledger, e.Peer)
	}
	return t.Flush()
}

// letGo returns the text that says which entries have been removed.
func letGo(newest uint64, sum [32]byte) string {
	return fmt.Sprintf("entries 1 to %d have been let go to bound the log (--ledger-log); the newest of them has the hash %x", newest, sum)
}

// exported is one line of an export. Amounts are text, so that no JSON reader rounds them.
type exported struct {
	Entry  uint64 `json:"entry"`
	At     string `json:"at"`
	Kind   string `json:"kind"`
	Ledger string `json:"ledger"`
	Payee  string `json:"payee,omitempty"`
	Job    string `json:"job,omitempty"`
	Nonce  string `json:"nonce,omitempty"`
	Amount string `json:"amountMicro"`
	Cost   string `json:"costMicro,omitempty"`
	Hash   string `json:"hash"`
}

// Export writes every kept entry as one JSON object a line: `inos ledger export`. Where entries
// have been removed, the first line describes the newest removed one: its kind is "let-go", with
// its number, time and hash. Export verifies the log as it writes, so entries before damage have
// been written.
func Export(w io.Writer, log Log) error {
	b := bufio.NewWriter(w)
	enc := json.NewEncoder(b)
	_, err := Verify(log, func(e Entry) error {
		x := exported{Entry: e.Sequence, At: e.At.Format("2006-01-02T15:04:05.000000000Z"), Kind: e.Kind.String(),
			Ledger: string(e.Ledger), Payee: string(e.Peer), Job: e.JobID, Amount: strconv.FormatUint(e.Amount, 10),
			Hash: hex.EncodeToString(e.Hash[:])}
		if e.Nonce != (Nonce{}) {
			x.Nonce = hex.EncodeToString(e.Nonce[:])
		}
		if e.Kind == KindSettle || e.Kind == KindChequeIn || e.Kind == KindChequeOut {
			x.Cost = strconv.FormatUint(e.Cost, 10)
		}
		return enc.Encode(x)
	})
	if flushed := b.Flush(); err == nil {
		err = flushed
	}
	return err
}

// WriteVerify verifies log and prints its totals: `inos ledger verify`.
func WriteVerify(w io.Writer, log Log) error {
	r, err := Verify(log, nil)
	if err != nil {
		return err
	}
	if r.Gone > 0 {
		if _, err := fmt.Fprintf(w, "%s; what they add up to was kept, and is verified from entry %d on\n", letGo(r.Gone, r.Before), r.Gone+1); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(w, "ok: %d entries, head %x\nledgers %d, held %s in %d holds, owed on lines %s, granted %s\nthe sum over all accounts is 0\n",
		r.Entries, r.Head, r.Ledgers, FormatCredits(int64(r.Held)), r.Holds, FormatCredits(int64(r.Owed)), FormatCredits(int64(r.Granted)))
	return err
}
