package node

import (
	"context"
	"time"

	"inos/internal/credit"
	"inos/internal/identity"
	"inos/internal/kernel"
	"inos/internal/mesh"
)

const (
	// unearnedAgain is how long after a note that did not arrive the next one goes out.
	unearnedAgain = 2 * time.Second
	// unearnedAtOnce bounds the vouchers of one note, 16 bytes each.
	unearnedAtOnce = 1024
)

// sayUnearned tells those whose vouchers this node held when it ended that it will never
// bill them, each as soon as it is connected. It returns once all have been told or
// nothing is held any more, or with ctx.
func (n *Node) sayUnearned(ctx context.Context) {
	if len(n.Payment.Unearned(n.now())) == 0 {
		return
	}
	events, cancel := n.Kernel.Subscribe(64)
	defer cancel()
	again := time.NewTicker(unearnedAgain)
	defer again.Stop()
	for {
		left := n.Payment.Unearned(n.now())
		if len(left) == 0 {
			return
		}
		n.tellUnearned(ctx, left)
		for met := false; !met; {
			select {
			case e := <-events:
				_, met = e.(kernel.PeerConnected)
			case <-again.C: // events may be lost, and so may notes
				met = true
			case <-ctx.Done():
				return
			}
		}
	}
}

// tellUnearned tells those who are connected.
func (n *Node) tellUnearned(ctx context.Context, left map[identity.PeerID][]credit.HoldID) {
	m, err := n.Kernel.Mesh()
	if err != nil {
		return
	}
	to, ok := m.(mesh.Requester)
	if !ok {
		return
	}
	for _, p := range m.Peers() {
		ids := left[p.Profile.Peer]
		ids = ids[:min(len(ids), unearnedAtOnce)]
		if len(ids) == 0 {
			continue
		}
		var body []byte
		for _, id := range ids {
			body = append(body, id.Nonce[:]...)
		}
		one, cancel := context.WithTimeout(ctx, letterTime)
		if _, err := n.tell(one, to, p.Profile.Peer, mesh.NoteUnearned, body); err == nil {
			n.Payment.Told(ids)
		}
		cancel()
	}
}

// takeUnearned answers /inos/unearned/1: the nonces of vouchers of this node's that their
// payee will never bill. The answer, which is empty, says that it need not say so again.
func (n *Node) takeUnearned(_ context.Context, from identity.PeerID, body []byte) ([]byte, error) {
	var nonce credit.Nonce
	if len(body)%len(nonce) != 0 || len(body) > unearnedAtOnce*len(nonce) {
		return nil, mesh.ErrProtocol
	}
	for ; len(body) > 0; body = body[len(nonce):] {
		copy(nonce[:], body)
		if err := n.Payment.TakeBack(nonce, from, n.now()); err != nil {
			return nil, err
		}
	}
	return nil, nil
}
