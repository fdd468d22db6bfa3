package scheduler

import (
	"cmp"
	"maps"
	"slices"

	"inos/internal/identity"
)

// tombstones is the last report of nodes that were removed or have expired: a profile
// that is older is a replay, whoever still sends it round. Bounded like absent, and in
// time: a profile cannot be sent round for long after its expiry.
type tombstones map[identity.PeerID]tombstone

type tombstone struct {
	seq     uint64
	expires int64 // Unix nanoseconds
}

// keep notes the last report of a node that goes. When there are a quarter more than
// maxAbsent, those that expire first go.
func (d tombstones) keep(id identity.PeerID, seq uint64, expires int64) {
	d[id] = tombstone{seq, expires}
	if len(d) <= maxAbsent+maxAbsent/4 {
		return
	}
	ids := slices.SortedFunc(maps.Keys(d), func(p, q identity.PeerID) int {
		return cmp.Or(cmp.Compare(d[p].expires, d[q].expires), cmp.Compare(p, q))
	})
	for _, id := range ids[:len(ids)-maxAbsent] {
		delete(d, id)
	}
}

// reconsider is Index.Reconsider for those that are not here.
func (d tombstones) reconsider(now int64) {
	for id, last := range d {
		if last.expires <= now-int64(longAgo) {
			delete(d, id)
		}
	}
}
