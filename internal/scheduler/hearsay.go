package scheduler

import (
	"time"

	"inos/internal/identity"
)

// What a profile says is its node's word, and that the node is there at all is the word
// of whoever has brought it. So a node is a candidate once it has answered here, and
// until it has done a job here it has few at a time.

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

// SetStranger says how many jobs id may have at a time until it has done one; 0 says
// that it has a record.
func (x *Index) SetStranger(id identity.PeerID, jobs uint8) {
	slot, ok := x.ids.find(x.nodes, id)
	if !ok || x.nodes[slot].stranger == jobs {
		return
	}
	was := x.standing(slot)
	x.nodes[slot].stranger = jobs
	x.replace(slot, &was)
}

// Unheard fills dst with the nodes that would be chosen for r, best first, if they had
// ever answered here, and returns how many there are. Errors match ErrRequest.
func (x *Index) Unheard(r Request, now time.Time, dst []Choice) (int, error) {
	return x.topOf(&x.heard, nil, r, now, dst)
}
