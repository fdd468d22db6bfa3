package scheduler

import (
	"time"

	"inos/internal/identity"
)

// A profile holds claims of its node, and another node may have brought it. So a node becomes a
// candidate once it has answered this node, and has only a few jobs at a time until it has done one
// for this node.

// way is a set of reasons why a node is no candidate, whatever it reports.
type way uint8

const (
	undialable way = 1 << iota // this node cannot dial it, and there is no connection
	unheard                    // it has never answered this node
	asked                      // it was asked not long ago
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

// SetUndialable says whether this node can neither dial id nor has a connection to it. Such a node
// is no candidate, whatever it reports.
func (x *Index) SetUndialable(id identity.PeerID, yes bool) { x.setWay(id, undialable, yes) }

// SetUnheard says whether id has never answered this node.
func (x *Index) SetUnheard(id identity.PeerID, yes bool) { x.setWay(id, unheard, yes) }

// SetAsked says whether this node has asked id for an answer not long ago. Unheard leaves such a
// node out.
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

// SetStranger says how many jobs id may have at a time until it has done one. 0 means that id is
// proven.
func (x *Index) SetStranger(id identity.PeerID, jobs uint8) {
	slot, ok := x.ids.find(x.nodes, id)
	if !ok || x.nodes[slot].stranger == jobs {
		return
	}
	was := x.standing(slot)
	x.nodes[slot].stranger = jobs
	x.replace(slot, &was)
}

// Unheard fills dst, best first, with the nodes that would be chosen for r if they had ever
// answered this node. It returns how many there are. Errors match ErrRequest.
func (x *Index) Unheard(r Request, now time.Time, dst []Choice) (int, error) {
	return x.topOf(&x.heard, nil, r, now, dst)
}
