package payment

import (
	"inos/internal/credit"
	"inos/internal/identity"
)

// deniedAtMost bounds the vouchers whose payers have been told that they are not known here.
const deniedAtMost = 4096

// denials holds vouchers whose payers have been told that they are not known here. Their payers
// may have taken the money back, so they are refused when they arrive later. When they are full,
// the oldest of the ledger with the most is forgotten: its payer had given up the job by then,
// so the job is unlikely to be still on its way. So no payer, however many keys it has, keeps
// others from an answer. They last as long as the program.
type denials struct {
	at map[credit.HoldID]uint64             // serial number of each denial
	of map[identity.LedgerID][]credit.Nonce // oldest first
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

// makeRoom forgets one voucher to make room for one of ledger's.
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
