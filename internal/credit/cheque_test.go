package credit

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"inos/internal/testkit"
)

// node is one of two nodes that work for each other.
type node struct {
	n      byte
	wallet *Signer
	ledger *Ledger
	log    *MemoryLog
}

func newNode(t require.TestingT, n byte, line uint64) *node {
	x := &node{n: n, log: &MemoryLog{}}
	var err error
	x.wallet, err = NewSigner(SignerConfig{Key: testkit.Key(n), Codec: plainCodec{}})
	require.NoError(t, err)
	x.open(t, line)
	require.NoError(t, x.ledger.OpenAccount(x.wallet.Ledger(), 0, testNow))
	require.NoError(t, x.ledger.Grant(x.wallet.Ledger(), 1_000_000, testNow))
	return x
}

func (x *node) open(t require.TestingT, line uint64) {
	var err error
	x.ledger, err = OpenLedger(Config{Log: x.log, Codec: plainCodec{}, StrangerLine: line, CheckpointEvery: 7})
	require.NoError(t, err)
}

func (x *node) standing(t require.TestingT, o *node) Standing {
	s, err := x.ledger.Standing(o.wallet.Peer())
	require.NoError(t, err)
	return s
}

// job has x pay y cost for one job. If late, x has not settled the receipt yet; the receipt is
// returned.
func (x *node) job(t require.TestingT, y *node, id int, cost uint64, late bool) []byte {
	v, raw, err := x.wallet.Issue(testJob(id), y.wallet.Peer(), cost, testNow.Add(time.Hour))
	require.NoError(t, err)
	_, err = x.ledger.Hold(v, cost, testNow)
	require.NoError(t, err)
	hold, err := y.ledger.HoldVoucher(raw, testJob(id), y.wallet.Peer(), cost, Bearer{}, testNow)
	if errors.Is(err, ErrLedgerExhausted) {
		require.NoError(t, x.ledger.Refund(HoldID{v.LedgerID, v.Nonce}, testNow))
		return nil
	}
	require.NoError(t, err)
	require.NoError(t, y.ledger.Settle(hold, y.wallet.Peer(), cost, testNow))
	receipt, err := y.wallet.Receipt(Receipt{JobID: testJob(id), LedgerID: x.wallet.Ledger(), Cost: cost,
		StartedAt: testNow, FinishedAt: testNow, VoucherNonce: v.Nonce})
	require.NoError(t, err)
	if late {
		return receipt
	}
	_, err = x.ledger.SettleReceipt(receipt, testNow)
	require.NoError(t, err)
	return nil
}

func TestChequeClearsBothWays(t *testing.T) {
	a, b := newNode(t, 1, 500), newNode(t, 2, 500)
	a.job(t, b, 1, 300, false)
	b.job(t, a, 2, 100, false)
	require.Equal(t, Standing{Owes: 100, Owed: 300}, a.standing(t, b))
	require.Equal(t, Standing{Owes: 300, Owed: 100}, b.standing(t, a))

	cheque, err := a.ledger.Draw(a.wallet, b.wallet.Peer(), testNow)
	require.NoError(t, err)
	require.Equal(t, Standing{Drawn: 200}, a.standing(t, b))
	_, err = b.ledger.Take(cheque, a.wallet.Peer(), testNow)
	require.ErrorIs(t, err, ErrChequeMismatch, "it is for b")
	c, err := b.ledger.Take(cheque, b.wallet.Peer(), testNow)
	require.NoError(t, err)
	require.Equal(t, [3]uint64{1, 200, 100}, [3]uint64{c.Sequence, c.Paid, c.Offset})
	require.Equal(t, Standing{Promised: 200}, b.standing(t, a))
	_, err = b.ledger.Take(cheque, b.wallet.Peer(), testNow)
	require.ErrorIs(t, err, ErrChequeStale)
	_, err = a.ledger.Draw(a.wallet, b.wallet.Peer(), testNow)
	require.ErrorIs(t, err, ErrAmount, "nothing is owed")
	again, err := a.ledger.Redraw(a.wallet, b.wallet.Peer(), testNow)
	require.NoError(t, err)
	_, err = b.ledger.Take(again, b.wallet.Peer(), testNow)
	require.ErrorIs(t, err, ErrChequeStale)

	// Setting off takes two debts.
	lie := func(seq, paid, offset uint64) error {
		raw, err := plainCodec{}.SealCheque(Cheque{Drawer: a.wallet.Peer(), Payee: b.wallet.Peer(), Sequence: seq, Paid: paid,
			Offset: offset}, testkit.Key(1))
		require.NoError(t, err)
		_, err = b.ledger.Take(raw, b.wallet.Peer(), testNow)
		return err
	}
	require.ErrorIs(t, lie(9, 199, 100), ErrChequeMismatch)
	require.NoError(t, lie(9, 200, 1_000_000))
	require.Equal(t, Standing{Promised: 200}, b.standing(t, a))
	stolen, err := plainCodec{}.SealCheque(Cheque{Drawer: a.wallet.Peer(), Payee: b.wallet.Peer(), Sequence: 10}, testkit.Key(3))
	require.NoError(t, err)
	_, err = b.ledger.Take(stolen, b.wallet.Peer(), testNow)
	require.ErrorIs(t, err, ErrChequeForged)
	for _, x := range []*node{a, b} {
		_, err := Verify(x.log, nil)
		require.NoError(t, err)
		require.Zero(t, x.ledger.Sum())
	}
}

// Random jobs in both directions, late receipts, restarts, and cheques that are lost, repeated,
// out of order or drawn by both at once. On both books the open, promised and set-off amounts
// add up to the cost of the jobs. When both have set off the same amount, both show the same
// balance.
func TestChequesAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const line = 100_000
		nodes := [2]*node{newNode(t, 1, line), newNode(t, 2, line)}
		var cost [2]uint64       // of jobs that i paid for
		var receipts [2][][]byte // not yet settled by i
		var cheques [2][][]byte  // to i, not yet taken
		take := func(i int, raw []byte) error {
			_, err := nodes[i].ledger.Take(raw, nodes[i].wallet.Peer(), testNow)
			return err
		}
		settle := func(i int) {
			for _, r := range receipts[i] {
				_, err := nodes[i].ledger.SettleReceipt(r, testNow)
				require.NoError(t, err)
			}
			receipts[i] = nil
		}
		for step := range rapid.IntRange(1, 30).Draw(t, "steps") {
			i := rapid.IntRange(0, 1).Draw(t, "who")
			x, y := nodes[i], nodes[1-i]
			switch rapid.IntRange(0, 5).Draw(t, "op") {
			case 0, 1:
				c, late := rapid.Uint64Range(1, 500).Draw(t, "cost"), rapid.Bool().Draw(t, "late")
				if r := x.job(t, y, step, c, late); r != nil {
					receipts[i] = append(receipts[i], r)
				}
				cost[i] += c
			case 2:
				settle(i)
			case 3:
				if raw, err := x.ledger.Draw(x.wallet, y.wallet.Peer(), testNow); err == nil {
					cheques[1-i] = append(cheques[1-i], raw)
				} else {
					require.ErrorIs(t, err, ErrAmount)
				}
			case 4:
				if len(cheques[i]) > 0 {
					raw := rapid.SampledFrom(cheques[i]).Draw(t, "cheque") // may be taken again later
					if err := take(i, raw); err != nil {
						require.ErrorIs(t, err, ErrChequeStale)
					}
				}
			case 5:
				require.NoError(t, x.ledger.Close())
				x.open(t, line)
			}
			require.Zero(t, x.ledger.Sum())
		}
		settle(0)
		settle(1)
		for i, x := range nodes { // the last cheque makes up for those lost
			y := nodes[1-i]
			if raw, err := x.ledger.Redraw(x.wallet, y.wallet.Peer(), testNow); err == nil {
				if err := take(1-i, raw); err != nil {
					require.ErrorIs(t, err, ErrChequeStale)
				}
			}
		}
		for i, x := range nodes {
			y := nodes[1-i]
			sx, sy := x.standing(t, y), y.standing(t, x)
			cx, cy := x.ledger.state.cheques[mustKey(t, y)], y.ledger.state.cheques[mustKey(t, x)]
			require.Equal(t, cost[i], sx.Owed+sx.Drawn+cx.offset)
			owes := int64(0) // x on y's books; negative: paid in advance
			if b, ok := y.ledger.Balance(x.wallet.Ledger()); ok {
				owes = -b.Balance - int64(b.Held)
				require.EqualValues(t, line-(cost[i]-cy.offset), b.Available(), "what is set off frees the line, what is promised does not")
			}
			require.EqualValues(t, cost[i], owes+int64(sy.Promised)+int64(cy.offset))
			if cx.offset == cy.offset {
				require.EqualValues(t, sx.Owed+sx.Drawn, owes+int64(sy.Promised))
			}
			_, err := Verify(x.log, nil)
			require.NoError(t, err)
		}
	})
}

func mustKey(t require.TestingT, x *node) key {
	k, err := peerKey(x.wallet.Peer())
	require.NoError(t, err)
	return k
}
