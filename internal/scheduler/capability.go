package scheduler

import (
	"encoding/binary"
	"slices"
)

// exactBits is how many bits of a capability mask stand for one name each. All further names share
// the other bits: a mask match on those is only a "perhaps", and the name ids decide. A mesh with
// no more names than exactBits needs the mask alone.
const exactBits = 48

// maskOf returns the mask bit of the name with this id.
func maskOf(id int32) uint64 {
	if id < exactBits {
		return 1 << id
	}
	return 1 << (exactBits + id%(64-exactBits))
}

// group is a distinct set of capabilities and how many nodes have it.
type group struct {
	names   []string // sorted, distinct
	ids     []int32  // of names, sorted by id
	mask    uint64
	members int
}

// has reports whether the group's set includes all of ids, which are sorted.
func (g *group) has(ids []int32) bool {
	i := 0
	for _, id := range ids {
		for i < len(g.ids) && g.ids[i] < id {
			i++
		}
		if i == len(g.ids) || g.ids[i] != id {
			return false
		}
	}
	return true
}

// capabilities interns names and sets of names. It counts the users of both and frees an entry with
// its last user, so that invented names do not accumulate.
type capabilities struct {
	id         map[string]int32
	uses       []int32 // by name id: how many groups have it
	freeExact  []int32 // ids below exactBits
	freeShared []int32

	groups    []group
	freeGroup []int32
	byIDs     map[string]int32
	key       []byte  // scratch
	ids       []int32 // scratch
}

func newCapabilities() *capabilities {
	return &capabilities{id: make(map[string]int32), byIDs: make(map[string]int32)}
}

// resolve appends the sorted ids of names to dst. It returns false when no node has one of the
// names.
func (c *capabilities) resolve(dst []int32, names []string) ([]int32, bool) {
	for _, name := range names {
		id, ok := c.id[name]
		if !ok {
			return dst, false
		}
		dst = append(dst, id)
	}
	slices.Sort(dst)
	return slices.Compact(dst), true
}

func (c *capabilities) keyOf(ids []int32) []byte {
	c.key = c.key[:0]
	for _, id := range ids {
		c.key = binary.LittleEndian.AppendUint32(c.key, uint32(id))
	}
	return c.key
}

// is returns true when names are sorted, distinct and the set of group g. False does not mean that
// they differ.
func (c *capabilities) is(g int32, names []string) bool {
	return slices.Equal(c.groups[g].names, names)
}

// acquire returns the group of names and adds one member to it.
func (c *capabilities) acquire(names []string) int32 {
	var known bool
	if c.ids, known = c.resolve(c.ids[:0], names); known {
		if g, ok := c.byIDs[string(c.keyOf(c.ids))]; ok {
			c.groups[g].members++
			return g
		}
	}
	return c.create(names)
}

func (c *capabilities) create(names []string) int32 {
	set := slices.Clone(names)
	slices.Sort(set)
	set = slices.Compact(set)
	g := group{names: set, ids: make([]int32, 0, len(set)), members: 1}
	for _, name := range set {
		id, ok := c.id[name]
		if !ok {
			id = c.newID()
			c.id[name] = id
		}
		c.uses[id]++
		g.ids = append(g.ids, id)
		g.mask |= maskOf(id)
	}
	slices.Sort(g.ids)
	var i int32
	if n := len(c.freeGroup); n > 0 {
		i = c.freeGroup[n-1]
		c.freeGroup = c.freeGroup[:n-1]
		c.groups[i] = g
	} else {
		i = int32(len(c.groups))
		c.groups = append(c.groups, g)
	}
	c.byIDs[string(c.keyOf(g.ids))] = i
	return i
}

// newID prefers the ids that have a mask bit of their own.
func (c *capabilities) newID() int32 {
	for _, free := range []*[]int32{&c.freeExact, &c.freeShared} {
		if n := len(*free); n > 0 {
			id := (*free)[n-1]
			*free = (*free)[:n-1]
			return id
		}
	}
	c.uses = append(c.uses, 0)
	return int32(len(c.uses) - 1)
}

func (c *capabilities) releaseID(id int32) {
	if c.uses[id]--; c.uses[id] > 0 {
		return
	}
	if id < exactBits {
		c.freeExact = append(c.freeExact, id)
	} else {
		c.freeShared = append(c.freeShared, id)
	}
}

// release removes one member from group i and frees the group with its last member.
func (c *capabilities) release(i int32) {
	g := &c.groups[i]
	if g.members--; g.members > 0 {
		return
	}
	delete(c.byIDs, string(c.keyOf(g.ids)))
	for _, name := range g.names {
		id := c.id[name]
		if c.releaseID(id); c.uses[id] == 0 {
			delete(c.id, name)
		}
	}
	*g = group{}
	c.freeGroup = append(c.freeGroup, i)
}
