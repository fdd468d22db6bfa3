package payment

import (
	"inos/internal/credit"
	"inos/internal/identity"
)

// deniedAtMost bounds the vouchers that payers have been told are not known here.
const deniedAtMost = 4096

// denials are vouchers whose payers have been told that they are not known here, and may have
// taken their money back: they are not taken when they come after all. When there is no room
// for another one the oldest of the ledger that has most is forgotten: its job, which its
// payer had given up then, is hardly on its way any more. So nobody who asks, with however
// many keys, keeps others from being answered. They last as long as the program.
type denials struct {
	at map[credit.HoldID]uint64             // in which order they were denied
	of map[identity.LedgerID][]credit.Nonce // the oldest first
	n  uint64
}

func newDenials() denials {
	return denials{at: make(map[credit.HoldID]uint64), of: make(map[identity.LedgerID][]credit.Nonce)}
}

func (d *denials) has(id credit.HoldID) bool {
	_, denied := d.at[id]
	return denied
}

func (d *denials) add(id credit.HoldID) {
	if d.has(id) {
		return
	}
	if len(d.at) >= deniedAtMost {
		d.makeRoom(id.Ledger)
	}
	d.n++
	d.at[id] = d.n
	d.of[id.Ledger] = append(d.of[id.Ledger], id.Nonce)
}

// makeRoom forgets one for another of ledger's.
func (d *denials) makeRoom(ledger identity.LedgerID) {
	var worst credit.HoldID
	most := 0
	for l, of := range d.of {
		n, first := len(of), credit.HoldID{Ledger: l, Nonce: of[0]}
		if l == ledger {
			n++
		}
		if n > most || n == most && d.at[first] < d.at[worst] {
			worst, most = first, n
		}
	}
	delete(d.at, worst)
	if d.of[worst.Ledger] = d.of[worst.Ledger][1:]; len(d.of[worst.Ledger]) == 0 {
		delete(d.of, worst.Ledger)
	}
}
