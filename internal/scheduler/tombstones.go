package scheduler

import (
	"cmp"
	"maps"
	"slices"

	"inos/internal/identity"
)

// tombstones holds the last sequence number of nodes that were removed or have expired: an older
// profile is a replay, whoever sends it. It is bounded like failureHistory, and in time: a profile
// cannot circulate for long after its expiry.
type tombstones map[identity.PeerID]tombstone

type tombstone struct {
	seq     uint64
	expires int64 // Unix nanoseconds
}

// keep stores the last sequence number of a node that leaves the index. When there are a quarter
// more tombstones than maxHistory, it drops those that expire first.
func (d tombstones) keep(id identity.PeerID, seq uint64, expires int64) {
	d[id] = tombstone{seq, expires}
	if len(d) <= maxHistory+maxHistory/4 {
		return
	}
	ids := slices.SortedFunc(maps.Keys(d), func(p, q identity.PeerID) int {
		return cmp.Or(cmp.Compare(d[p].expires, d[q].expires), cmp.Compare(p, q))
	})
	for _, id := range ids[:len(ids)-maxHistory] {
		delete(d, id)
	}
}

// reconsider drops the tombstones whose time is over; Index.Reconsider calls it.
func (d tombstones) reconsider(now int64) {
	for id, last := range d {
		if last.expires <= now-int64(longAgo) {
			delete(d, id)
		}
	}
}
