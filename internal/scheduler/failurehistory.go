package scheduler

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"inos/internal/identity"
)

// Limits on the failure history of nodes that are not in the index. A quarantine is remembered for
// longAgo after its end, a count until it has decayed. A node gains nothing by expiring and coming
// back.
const (
	maxHistory = 4096
	longAgo    = time.Hour
)

// failureHistory holds the failure records of nodes that are not in the index: they have expired,
// were removed, or failed before their first profile came.
type failureHistory map[identity.PeerID]*failureRecord

// keep stores the failure record of a node that leaves the index. When there are a quarter more
// records than maxHistory, it drops the lightest.
func (a failureHistory) keep(id identity.PeerID, b *failureRecord) {
	a[id] = b
	if len(a) <= maxHistory+maxHistory/4 {
		return
	}
	ids := slices.SortedFunc(maps.Keys(a), func(p, q identity.PeerID) int {
		return cmp.Or(a[p].compare(a[q]), cmp.Compare(p, q))
	})
	for _, id := range ids[:len(ids)-maxHistory] {
		delete(a, id)
	}
}

// compare orders records by what forgetting them would cost: quarantined nodes come last, and among
// those the one whose quarantine ends last.
func (b *failureRecord) compare(other *failureRecord) int {
	return cmp.Or(cmp.Compare(b.until, other.until), cmp.Compare(b.count, other.count), cmp.Compare(b.at, other.at))
}

func (a failureHistory) recordFailure(id identity.PeerID, now int64) {
	b := a[id]
	if b == nil {
		b = &failureRecord{at: now, length: quarantine}
	}
	b.failed(now)
	a.keep(id, b)
}

// reconsider does for nodes outside the index what Index.Reconsider does for those in it.
func (a failureHistory) reconsider(now int64) {
	for id, b := range a {
		b.pass(now)
		b.returned(now)
		over := b.trust != trusted && b.until+int64(longAgo) <= now && b.reach != unreachable
		if b.reach == doubtful && b.back+int64(longestPass) <= now {
			b.reached() // long enough for a node that has left the index
		}
		if b.nothing() || over {
			delete(a, id)
		}
	}
}

// restore removes the failure record of a node that enters the index and returns it, nil when there
// is none. The caller owns the record.
func (a failureHistory) restore(id identity.PeerID, now int64) *failureRecord {
	b := a[id]
	if b == nil {
		return nil
	}
	delete(a, id)
	if b.decay(now); b.trust != trusted {
		b.count = max(b.count, 1)
	}
	return b
}
