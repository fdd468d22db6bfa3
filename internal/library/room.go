package library

import (
	"slices"

	"inos/internal/budget"
	"inos/internal/capsule"
)

// A capsule that this node publishes or announces stays. A capsule from elsewhere is a guest,
// kept while there is room. At the bound a guest of the origin with the most bytes is evicted,
// the least recently used first, so no origin fills the library for others, or for ever. A
// pinned guest, which is about to run, is evicted only for a capsule of this node's own.

// bookCost is what a capsule counts besides its bytes and its manifests. Manifests count twice:
// signed and decoded.
const bookCost = 16 << 10

// maxManifest bounds a stored signed manifest, in bytes. That of the largest capsule in chunks
// of 256 KiB is half as long.
const maxManifest = 64 << 10

// makeRoom evicts guests until more bytes fit, for a book, itself kept, that comes from origin
// or is this node's own. The caller holds mu.
func (l *Library) makeRoom(but *book, origin string, more uint64, own bool) bool {
	if more > l.cfg.Capacity || l.staying() > l.cfg.Capacity-more {
		return false
	}
	pinned := l.pinned()
	for more > l.cfg.Capacity-min(l.used, l.cfg.Capacity) {
		if !l.evict(but, origin, more, own, pinned) {
			return false
		}
	}
	return true
}

// evict removes the next guest. It removes a pinned one only for this node's own capsules and
// when there is no other. It returns false when there is none. The caller holds mu.
func (l *Library) evict(but *book, origin string, more uint64, own bool, pinned map[capsule.CID]bool) bool {
	gone, worst := l.first(but, origin, more, own, pinned)
	if worst == nil && own {
		gone, worst = l.first(but, origin, more, own, nil)
	}
	if worst == nil {
		return false
	}
	l.used -= worst.bytes
	l.stays(worst)
	delete(l.books, gone)
	l.settle()
	return true
}

// lease takes more bytes of the node's memory, and evicts guests when there are none left.
// Errors match budget.ErrFull. The caller holds mu.
func (l *Library) lease(but *book, origin string, more uint64, own bool) error {
	pinned := l.pinned()
	for {
		err := l.cfg.Memory.Take(budget.Library, more)
		if err == nil {
			l.taken += more
			return nil
		}
		if !l.evict(but, origin, more, own, pinned) {
			return err
		}
	}
}

// settle gives back the memory that was taken and is not used. The caller holds mu.
func (l *Library) settle() {
	if l.taken > l.used {
		l.cfg.Memory.Give(budget.Library, l.taken-l.used)
		l.taken = l.used
	}
}

// first returns the unpinned guest that is evicted next when origin adds more bytes. The caller
// holds mu.
func (l *Library) first(but *book, origin string, more uint64, own bool, pinned map[capsule.CID]bool) (gone capsule.CID, worst *book) {
	var most uint64
	for cid, b := range l.books {
		if !b.guest || b == but || pinned[cid] {
			continue
		}
		has := l.of[b.origin]
		if !own && b.origin == origin {
			has += more
		}
		if worst == nil || has > most || has == most && b.last < worst.last {
			gone, worst, most = cid, b, has
		}
	}
	return gone, worst
}

// pin keeps a capsule stored, for a user on a network.
type pin struct {
	cid    capsule.CID
	origin string
}

// Pin keeps the capsule, if it is stored or once it arrives, until unpin is called. It counts
// for origin, which may have as many bytes pinned as are free of other pins; what it pins beyond
// that is evicted like any guest. Calling unpin again is harmless.
func (l *Library) Pin(cid capsule.CID, origin string) (unpin func()) {
	p := &pin{cid, origin}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pins = append(l.pins, p)
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.pins = slices.DeleteFunc(l.pins, func(other *pin) bool { return other == p })
	}
}

// pinned returns the guests that pins keep for now; earlier pins take precedence. The caller
// holds mu.
func (l *Library) pinned() map[capsule.CID]bool {
	free := l.cfg.Capacity - min(l.staying(), l.cfg.Capacity)
	stay, of := make(map[capsule.CID]bool), make(map[string]uint64)
	for _, p := range l.pins {
		b := l.books[p.cid]
		if b == nil || !b.guest || stay[p.cid] || b.bytes > free || of[p.origin]+b.bytes > free-b.bytes {
			continue
		}
		stay[p.cid] = true
		of[p.origin] += b.bytes
		free -= b.bytes
	}
	return stay
}

// weigh updates the bytes that count for b. The caller holds mu.
func (l *Library) weigh(b *book) {
	n := uint64(bookCost + len(b.wasm))
	for _, m := range b.manifests {
		n += 2 * uint64(len(m.signed))
	}
	l.used += n - b.bytes
	if b.guest {
		l.of[b.origin] += n - b.bytes
	}
	b.bytes = n
}

// staying returns the bytes of capsules that are not guests. The caller holds mu.
func (l *Library) staying() uint64 {
	n := l.used
	for _, of := range l.of {
		n -= of
	}
	return n
}

// stays makes b a capsule of this node, no guest. The caller holds mu.
func (l *Library) stays(b *book) {
	if !b.guest {
		return
	}
	b.guest = false
	if l.of[b.origin] -= b.bytes; l.of[b.origin] == 0 {
		delete(l.of, b.origin)
	}
}

// touch marks b as used now. The caller holds mu.
func (l *Library) touch(b *book) {
	l.clock++
	b.last = l.clock
}
