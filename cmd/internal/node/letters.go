package node

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"inos/internal/credit"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/wire"
)

const (
	reputationKey = "reputation"
	sequenceKey   = "profile sequence"

	shipEvery    = 2 * time.Second
	receiptEvery = 5 * time.Second
	receiptAsk   = 16 // vouchers that one node is asked about at a time
	receiptNodes = 16 // nodes that are asked at a time
	chequeEvery  = time.Minute
	saveEvery    = time.Minute
	letterTime   = 10 * time.Second

	// clearAt is the debt to another node that is worth a cheque: one credit.
	clearAt = 1_000_000
)

// Requests are what this node answers besides jobs and commands: give them to the
// mesh. Each has passed the gate's DNA check before it is looked at.
func (n *Node) Requests() map[string]mesh.RequestFunc {
	notes := map[string]mesh.RequestFunc{mesh.NoteReceipt: n.answerReceipt, mesh.NoteCheque: n.takeCheque,
		mesh.NoteUnearned: n.takeUnearned}
	if n.export != nil {
		notes[mesh.NoteTrace] = n.takeSpans
	}
	for name, answer := range notes {
		notes[name] = n.opened(name, answer)
	}
	return notes
}

// envelopeRoom is what an envelope takes of a note, at most.
const envelopeRoom = 4 << 10

// noteType is the type of the Envelope that a note travels in.
func noteType(name string) string { return "note:" + name + ":v1" }

// tell sends a note in an envelope of its own.
func (n *Node) tell(ctx context.Context, to mesh.Requester, p identity.PeerID, name string, body []byte) ([]byte, error) {
	env := n.Kernel.Message(ctx, noteType(name))
	env.Payload.Data = body
	raw, err := wire.SendEnvelope(env, n.now())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", mesh.ErrUnsent, err)
	}
	return to.Request(ctx, p, name, raw)
}

// aheadKey is the context key of how far the sender's clock is ahead of this node's.
type aheadKey struct{}

// opened hands answer what lay in an envelope that the gate let pass.
func (n *Node) opened(name string, answer mesh.RequestFunc) mesh.RequestFunc {
	return func(ctx context.Context, from identity.PeerID, raw []byte) ([]byte, error) {
		env, ahead, err := wire.ReceiveEnvelope(raw, n.now(), 0)
		if err != nil {
			return nil, err
		}
		if err := n.Kernel.Pass(env, noteType(name)); err != nil {
			return nil, err
		}
		return answer(context.WithValue(ctx, aheadKey{}, ahead), from, env.Payload.Data)
	}
}

// correspond writes to other nodes until ctx ends: spans to be exported, questions
// after vouchers whose fate is unknown, cheques. It saves what is worth keeping.
func (n *Node) correspond(ctx context.Context) {
	ship, receipts, cheques, save := time.NewTicker(shipEvery), time.NewTicker(receiptEvery), time.NewTicker(chequeEvery), time.NewTicker(saveEvery)
	defer ship.Stop()
	defer receipts.Stop()
	defer cheques.Stop()
	defer save.Stop()
	defer n.save()
	var collector identity.PeerID
	unsent := make(map[identity.PeerID]bool)
	numbered := false // the profile's sequence has been kept: as soon as there is one
	for {
		var write func(ctx context.Context, to mesh.Requester, peers []mesh.Peer)
		select {
		case <-ship.C:
			numbered = numbered || n.saveSequence()
			if len(n.shipping) > 0 {
				write = func(ctx context.Context, to mesh.Requester, peers []mesh.Peer) {
					collector = n.ship(ctx, to, peers, collector)
				}
			}
		case <-receipts.C:
			write = n.askReceipts
		case <-cheques.C:
			write = func(ctx context.Context, to mesh.Requester, peers []mesh.Peer) { n.sendCheques(ctx, to, peers, unsent) }
		case <-save.C:
			n.save()
		case <-ctx.Done():
			return
		}
		m, err := n.Kernel.Mesh()
		if write == nil || err != nil {
			continue
		}
		if to, ok := m.(mesh.Requester); ok {
			one, cancel := context.WithTimeout(ctx, letterTime)
			write(one, to, m.Peers())
			cancel()
		}
	}
}

// save keeps the reputation, and the profile's sequence. What cannot be written now is
// written the next time.
func (n *Node) save() {
	if n.keep == nil {
		return
	}
	_ = n.keep.Put(reputationKey, n.Reputation.Save())
	n.saveSequence()
}

// saveSequence keeps how far the sequence numbers of the profile can be by the next time,
// and reports whether it has.
func (n *Node) saveSequence() bool {
	m, err := n.Kernel.Mesh()
	if n.keep == nil || err != nil {
		return false
	}
	of, ok := m.(interface{ Sequence() uint64 })
	if !ok || of.Sequence() == 0 {
		return false
	}
	ahead := uint64(2 * saveEvery / time.Millisecond) // it counts milliseconds, or slower
	return n.keep.Put(sequenceKey, binary.BigEndian.AppendUint64(nil, of.Sequence()+ahead)) == nil
}

// Sequence is the number that this node's profiles may have reached in an earlier run, for
// the mesh to go on from: by the clock alone, a node whose clock has been put back would
// be taken for a replay of itself. 0 when nothing is known.
func (n *Node) Sequence() uint64 {
	if n.keep == nil {
		return 0
	}
	if b, ok := n.keep.Get(sequenceKey); ok && len(b) == 8 {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// askReceipts asks the nodes that vouchers went to what became of them, where no
// job here can tell any more: those first that are connected, which answer at once. A receipt
// settles the hold, a denial refunds it, and silence, which holds up nobody else, leaves it
// until it expires.
func (n *Node) askReceipts(ctx context.Context, to mesh.Requester, peers []mesh.Peer) {
	lost := n.Payment.Lost(n.now(), receiptAsk)
	ask := make([]identity.PeerID, 0, receiptNodes)
	for _, p := range peers {
		if id := p.Profile.Peer; len(lost[id]) > 0 && len(ask) < receiptNodes {
			ask = append(ask, id)
		}
	}
	for id := range lost {
		if len(ask) < receiptNodes && !slices.Contains(ask, id) {
			ask = append(ask, id)
		}
	}
	var asked sync.WaitGroup
	for _, id := range ask {
		asked.Go(func() { n.askAfter(ctx, to, id, lost[id]) })
	}
	asked.Wait()
}

// askAfter asks payee what became of what is held for it.
func (n *Node) askAfter(ctx context.Context, to mesh.Requester, payee identity.PeerID, lost []credit.Held) {
	for _, h := range lost {
		answer, err := n.tell(ctx, to, payee, mesh.NoteReceipt, h.ID.Nonce[:])
		switch {
		case errors.Is(err, mesh.ErrUnsent), ctx.Err() != nil:
			return // it is not there
		case err != nil:
		case len(answer) == 0:
			n.Payment.Denied(h, n.now())
		default:
			_, _ = n.Payment.Late(answer, n.now()) // one that is wrong is no receipt
		}
	}
}

// answerReceipt answers /inos/receipt/1: the nonce of a voucher of the asker's
// ledger, answered by the receipt, or by nothing when none will ever be.
func (n *Node) answerReceipt(_ context.Context, from identity.PeerID, body []byte) ([]byte, error) {
	var nonce credit.Nonce
	if len(body) != len(nonce) {
		return nil, mesh.ErrProtocol
	}
	copy(nonce[:], body)
	return n.Payment.Answer(credit.HoldID{Ledger: identity.LedgerID(identity.LedgerPrefix + string(from)), Nonce: nonce})
}

// sendCheques clears with the connected nodes to which this one owes enough.
func (n *Node) sendCheques(ctx context.Context, to mesh.Requester, peers []mesh.Peer, unsent map[identity.PeerID]bool) {
	for _, p := range peers {
		id := p.Profile.Peer
		s, err := n.Ledger.Standing(id)
		if err != nil || s.Owed < clearAt && !unsent[id] || ctx.Err() != nil {
			continue
		}
		cheque, err := n.Ledger.Draw(n.Signer, id, n.now())
		if errors.Is(err, credit.ErrAmount) {
			cheque, err = n.Ledger.Redraw(n.Signer, id, n.now())
		}
		if err != nil {
			continue
		}
		if _, err = n.tell(ctx, to, id, mesh.NoteCheque, cheque); err == nil {
			delete(unsent, id)
		} else if len(unsent) < takeNodes {
			unsent[id] = true // a cheque repeats what the ones before it said
		}
	}
}

// takeCheque answers /inos/cheque/1. A cheque that came before is as good as new:
// the drawer did not hear of it.
func (n *Node) takeCheque(_ context.Context, from identity.PeerID, body []byte) ([]byte, error) {
	c, err := n.Payment.TakeCheque(body, n.now())
	if errors.Is(err, credit.ErrChequeStale) {
		return nil, nil
	}
	if err == nil && c.Drawer != from {
		return nil, nil // a true cheque, whoever carried it
	}
	return nil, err
}
