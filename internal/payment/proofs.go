package payment

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"inos/internal/credit"
	"inos/internal/fault"
	"inos/internal/identity"
	"inos/internal/order"
)

// Store is a durable map, safe for concurrent use. What Put has acknowledged survives a crash.
// *store.KV implements it.
type Store interface {
	Get(key string) ([]byte, bool)
	Put(key string, value []byte) error
	Delete(key string) error
	Keys(prefix string) []string // sorted
}

// ErrProof says that a stored proof is damaged. Final.
var ErrProof = fault.Internal("payment: kept proof does not decode")

const (
	proofPrefix = "owed/" // and a serial of 16 hex digits
	// proofsKept bounds the proofs of all ledgers together. At the bound the ledger with the
	// most proofs loses its oldest, so that no ledger crowds out another.
	proofsKept = 4096
)

// Proof shows that this node did a job and is owed for it: the payer's promise and its own bill,
// both signed.
type Proof struct {
	Hold    credit.HoldID
	Cost    uint64    // microcredits
	Until   time.Time // expiry of the voucher: until then the payer may ask
	Voucher []byte    // nil when the ledger's own node sent the job without one
	Receipt []byte

	serial uint64
}

// proofs lists what others owe this node for, oldest first, with a copy in keep. A proof is
// written before its hold is settled, so that after a crash between the two the settlement is
// made up for.
type proofs struct {
	keep   Store // nil: proofs last as long as the program
	of     map[credit.HoldID]*Proof
	by     map[identity.LedgerID][]*Proof
	swept  map[identity.LedgerID]int // how many were left after the last sweep
	serial uint64
}

func newProofs(keep Store) (*proofs, error) {
	p := &proofs{keep: keep, of: make(map[credit.HoldID]*Proof), by: make(map[identity.LedgerID][]*Proof),
		swept: make(map[identity.LedgerID]int)}
	if keep == nil {
		return p, nil
	}
	kept, err := Proofs(keep)
	for _, x := range kept {
		p.serial = max(p.serial, x.serial)
		p.list(&x)
	}
	return p, err
}

// Proofs reads the proofs in keep, oldest first. Errors match ErrProof.
func Proofs(keep Store) ([]Proof, error) {
	var out []Proof
	for _, key := range keep.Keys(proofPrefix) {
		value, _ := keep.Get(key)
		x, ok := decodeProof(value)
		if n, err := fmt.Sscanf(strings.TrimPrefix(key, proofPrefix), "%016x", &x.serial); n != 1 || err != nil || !ok {
			return nil, fmt.Errorf("%w: %q", ErrProof, key)
		}
		out = append(out, x)
	}
	return out, nil
}

// all returns copies, oldest first.
func (p *proofs) all() []Proof {
	out := make([]Proof, 0, len(p.of))
	for _, x := range p.of {
		out = append(out, *x)
	}
	order.By(out, func(a, b Proof) int { return cmp.Compare(a.serial, b.serial) })
	return out
}

// add lists a proof and returns the key and value to store and the keys to delete.
func (p *proofs) add(x Proof) (key string, value []byte, drop []string) {
	p.serial++
	x.serial = p.serial
	if len(p.of) >= proofsKept {
		var most identity.LedgerID
		for l, list := range p.by {
			if len(list) > len(p.by[most]) {
				most = l
			}
		}
		drop = append(drop, p.unlist(p.by[most][0]))
	}
	p.list(&x)
	return proofKey(x.serial), x.encode(), drop
}

func (p *proofs) list(x *Proof) {
	p.of[x.Hold] = x
	p.by[x.Hold.Ledger] = append(p.by[x.Hold.Ledger], x)
}

func (p *proofs) unlist(x *Proof) (key string) {
	l := x.Hold.Ledger
	delete(p.of, x.Hold)
	p.by[l] = slices.DeleteFunc(p.by[l], func(o *Proof) bool { return o == x })
	if len(p.by[l]) == 0 {
		delete(p.by, l)
		delete(p.swept, l)
	}
	return proofKey(x.serial)
}

// paid removes the proofs of ledger for which nothing is owed any more and returns their keys.
// Payments clear the oldest debts first. A proof stays until its voucher has expired, since the
// payer may ask until then.
func (p *proofs) paid(ledger identity.LedgerID, owes uint64, now time.Time) (drop []string) {
	var open []*Proof // newest first
	var newer uint64
	for _, x := range slices.Backward(p.by[ledger]) {
		if now.After(x.Until) && (newer >= owes || x.Cost == 0) {
			drop = append(drop, proofKey(x.serial))
			delete(p.of, x.Hold)
			continue
		}
		newer += x.Cost
		open = append(open, x)
	}
	slices.Reverse(open)
	if p.by[ledger], p.swept[ledger] = open, len(open); len(open) == 0 {
		delete(p.by, ledger)
		delete(p.swept, ledger)
	}
	return drop
}

// sweepDue reports whether ledger has enough proofs that a sweep is worthwhile.
func (p *proofs) sweepDue(ledger identity.LedgerID) bool {
	return len(p.by[ledger]) > 2*p.swept[ledger]+16
}

func proofKey(serial uint64) string { return fmt.Sprintf("%s%016x", proofPrefix, serial) }

// encode writes, big endian: cost, expiry in Unix nanoseconds, nonce, and three texts after
// their lengths: ledger, voucher, receipt.
func (x *Proof) encode() []byte {
	u := binary.BigEndian
	b := make([]byte, 0, 44+len(x.Hold.Ledger)+len(x.Voucher)+len(x.Receipt))
	b = u.AppendUint64(u.AppendUint64(b, x.Cost), uint64(x.Until.UnixNano()))
	b = append(b, x.Hold.Nonce[:]...)
	for _, t := range [][]byte{[]byte(x.Hold.Ledger), x.Voucher, x.Receipt} {
		b = append(u.AppendUint32(b, uint32(len(t))), t...)
	}
	return b
}

func decodeProof(b []byte) (x Proof, ok bool) {
	if len(b) < 32 {
		return x, false
	}
	u := binary.BigEndian
	x.Cost, x.Until = u.Uint64(b), time.Unix(0, int64(u.Uint64(b[8:])))
	b = b[16+copy(x.Hold.Nonce[:], b[16:32]):]
	var texts [3][]byte
	for i := range texts {
		if len(b) < 4 || uint64(u.Uint32(b)) > uint64(len(b)-4) {
			return x, false
		}
		n := u.Uint32(b)
		if n > 0 {
			texts[i] = b[4 : 4+n : 4+n]
		}
		b = b[4+n:]
	}
	x.Hold.Ledger, x.Voucher, x.Receipt = identity.LedgerID(texts[0]), texts[1], texts[2]
	return x, len(b) == 0
}
