package scheduler

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"inos/internal/identity"
)

// How long and of how many nodes failures are remembered that the index does not know
// for now. A quarantine is remembered for longAgo after its end, a mere count until it
// has decayed: to expire and come back gains a node nothing.
const (
	maxAbsent = 4096
	longAgo   = time.Hour
)

// history is what is held against nodes that the index does not know: that have
// expired, were removed, or failed before their first profile came.
type failureHistory map[identity.PeerID]*failureRecord

// keep takes over what is held against a node that goes. When there are a quarter more
// than maxAbsent, the lightest go.
func (a failureHistory) keep(id identity.PeerID, b *failureRecord) {
	a[id] = b
	if len(a) <= maxAbsent+maxAbsent/4 {
		return
	}
	ids := slices.SortedFunc(maps.Keys(a), func(p, q identity.PeerID) int {
		return cmp.Or(a[p].compare(a[q]), cmp.Compare(p, q))
	})
	for _, id := range ids[:len(ids)-maxAbsent] {
		delete(a, id)
	}
}

// compare orders by what it would cost to forget: quarantined nodes last, and of them
// the one whose quarantine ends last.
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

// reconsider is Index.Reconsider for those that are not here.
func (a failureHistory) reconsider(now int64) {
	for id, b := range a {
		b.pass(now)
		b.returned(now)
		over := b.trust != trusted && b.until+int64(longAgo) <= now && b.reach != unreachable
		if b.reach == doubtful && b.back+int64(longestPass) <= now {
			b.reached() // long enough for a node that has gone
		}
		if b.nothing() || over {
			delete(a, id)
		}
	}
}

// alloc returns what is held against a node that comes, nil if nothing is, and leaves
// it to the caller.
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
