package scheduler

import (
	"hash/maphash"

	"inos/internal/identity"
)

// ids finds a node's slot by its id. It is a hash table of 8-byte cells with linear probing, so
// that a look-up outside the cache waits once for the table and once for the record. Each process
// draws a new seed: nobody can make ids that collide.
type ids struct {
	seed  maphash.Seed
	cells []idCell // the length is a power of two
	count int
}

// idCell holds a slot. Its tag is the lower half of the id's hash, and the tag's remainder is the
// cell it belongs to.
type idCell struct {
	tag  uint32
	slot int32 // the slot plus one; 0 means empty
}

func newIDs() ids { return ids{seed: maphash.MakeSeed(), cells: make([]idCell, 16)} }

func (t *ids) tag(id identity.PeerID) uint32 { return uint32(maphash.String(t.seed, string(id))) }

// find returns the slot of id.
func (t *ids) find(nodes []record, id identity.PeerID) (int32, bool) {
	tag, mask := t.tag(id), uint32(len(t.cells)-1)
	for i := tag & mask; ; i = (i + 1) & mask {
		switch c := t.cells[i]; {
		case c.slot == 0:
			return 0, false
		case c.tag == tag && nodes[c.slot-1].id == id:
			return c.slot - 1, true
		}
	}
}

// add stores the slot of an id that is not in the table.
func (t *ids) add(id identity.PeerID, slot int32) {
	if t.count++; 4*t.count > 3*len(t.cells) {
		old := t.cells
		t.cells = make([]idCell, 2*len(old))
		for _, c := range old {
			if c.slot != 0 {
				t.put(c)
			}
		}
	}
	t.put(idCell{t.tag(id), slot + 1})
}

func (t *ids) put(c idCell) {
	mask := uint32(len(t.cells) - 1)
	i := c.tag & mask
	for t.cells[i].slot != 0 {
		i = (i + 1) & mask
	}
	t.cells[i] = c
}

// remove takes out id, which has slot, and moves displaced cells back towards their home.
func (t *ids) remove(id identity.PeerID, slot int32) {
	mask := uint32(len(t.cells) - 1)
	hole := t.tag(id) & mask
	for t.cells[hole].slot != slot+1 {
		hole = (hole + 1) & mask
	}
	for i := (hole + 1) & mask; t.cells[i].slot != 0; i = (i + 1) & mask {
		// The cell at i may move to the hole unless its home lies between the two.
		if home := t.cells[i].tag & mask; (i-home)&mask >= (i-hole)&mask {
			t.cells[hole] = t.cells[i]
			hole = i
		}
	}
	t.cells[hole] = idCell{}
	t.count--
}
