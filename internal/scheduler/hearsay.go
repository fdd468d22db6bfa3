package scheduler

import (
	"time"

	"inos/internal/identity"
)

// What a profile says is its node's word, and that the node is there at all is the word
// of whoever has brought it. So a node is a candidate once it has answered here, and
// until it has done a job here it has one at a time.

// way is what keeps a node from being a candidate, whatever it reports.
type way uint8

const (
	undialable way = 1 << iota // nobody here can dial it, and there is no connection
	unheard                    // it has never answered here
	asked                      // nor when it was asked not long ago
)

func wayOf(n Node) (w way) {
	if n.Undialable {
		w |= undialable
	}
	if n.Unheard {
		w |= unheard
	}
	return w
}

// SetUndialable says whether no way leads to id from here: then it is no candidate,
// whatever it reports.
func (x *Index) SetUndialable(id identity.PeerID, yes bool) { x.setWay(id, undialable, yes) }

// SetUnheard says whether id has never answered here.
func (x *Index) SetUnheard(id identity.PeerID, yes bool) { x.setWay(id, unheard, yes) }

// SetAsked says whether id has been asked for an answer not long ago: then Unheard does
// not name it.
func (x *Index) SetAsked(id identity.PeerID, yes bool) { x.setWay(id, asked, yes) }

func (x *Index) setWay(id identity.PeerID, bit way, yes bool) {
	slot, ok := x.ids.find(x.nodes, id)
	if !ok || (x.nodes[slot].way&bit != 0) == yes {
		return
	}
	was := x.standing(slot)
	x.nodes[slot].way ^= bit
	x.replace(slot, &was)
}

// SetStranger says whether id has no record: then it has one job at a time.
func (x *Index) SetStranger(id identity.PeerID, yes bool) {
	slot, ok := x.ids.find(x.nodes, id)
	if !ok || x.nodes[slot].stranger == yes {
		return
	}
	was := x.standing(slot)
	x.nodes[slot].stranger = yes
	x.replace(slot, &was)
}

// Unheard fills dst with the nodes that would be chosen for r, best first, if they had
// ever answered here, and returns how many there are. Errors match ErrRequest.
func (x *Index) Unheard(r Request, now time.Time, dst []Choice) (int, error) {
	return x.topOf(&x.heard, r, now, dst)
}

// Among fills dst with those of ids that may be chosen for r, in their order, and returns
// how many there are. busy says that one more could, if it had a free slot. Errors match
// ErrRequest.
func (x *Index) Among(ids []identity.PeerID, r Request, now time.Time, dst []Choice) (n int, busy bool, err error) {
	known, err := x.prepare(r, now)
	if err != nil || !known {
		return 0, false, err
	}
	for _, id := range ids {
		slot, ok := x.ids.find(x.nodes, id)
		if !ok || !x.meets(slot) {
			continue
		}
		switch r := &x.nodes[slot]; x.shelfOf(r) {
		case &x.busy:
			busy = true
		case &x.ready:
			if n < len(dst) {
				dst[n] = Choice{Node: x.node(slot), Score: r.score}
				n++
			}
		}
	}
	return n, busy, nil
}

// meets reports whether the node meets every requirement of the query but a slot.
func (x *Index) meets(slot int32) bool {
	q := &x.q
	r := &x.nodes[slot]
	if r.cost > q.cursor.f.maxCost || r.expires <= q.cursor.f.now || !x.groupFits(r.group) {
		return false
	}
	e := r.entry(slot)
	return x.accepts(&e)
}
