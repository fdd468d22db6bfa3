package library

import (
	"slices"

	"inos/internal/budget"
	"inos/internal/capsule"
)

// What this node publishes or announces stays. What came from elsewhere is a guest: it is
// kept for as long as there is room. When there is none, the guests of the origin that has
// most bytes here go, the one first that was used longest ago. So nobody fills a library for
// others, nor for ever. One that somebody is about to run is pinned, and goes only when this
// node has something of its own to keep.

// bookCost is what a capsule counts besides its bytes and its manifests, which are kept twice:
// as they came and as they were read.
const bookCost = 16 << 10

// maxManifest bounds a signed manifest that is kept, in bytes: that of a capsule of the
// largest size in chunks of 256 KiB is half as long.
const maxManifest = 64 << 10

// makeRoom has room for more bytes, for a book that stays itself and comes from origin, or is
// this node's own. Called with mu held.
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

// evict lets the guest go that goes first, one that is pinned only for this node's own and when there is
// no other; false: there is none.
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

// lease takes more bytes of the node's memory. When there are none left guests go, as they do
// when the library is full. Errors match budget.ErrFull. Called with mu held.
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

// settle gives back what was taken and is not used. Called with mu held.
func (l *Library) settle() {
	if l.taken > l.used {
		l.cfg.Memory.Give(budget.Library, l.taken-l.used)
		l.taken = l.used
	}
}

// first is the guest that goes first when origin has more bytes, of those that are not pinned.
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

// pin keeps a capsule here, for somebody on a network.
type pin struct {
	cid    capsule.CID
	origin string
}

// Pin has the capsule stay, if it is here or once it comes, until unpin is called, for
// somebody of origin. An origin may have as many bytes pinned as are free of other pins; what
// it pins beyond that goes like any guest. Calling unpin again is harmless.
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

// pinned are the guests that stay for now: those that were pinned first. Called with mu held.
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

// weigh counts what b has. Called with mu held.
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

// staying is how many bytes are no guests'. Called with mu held.
func (l *Library) staying() uint64 {
	n := l.used
	for _, of := range l.of {
		n -= of
	}
	return n
}

// stays makes b no guest any more. Called with mu held.
func (l *Library) stays(b *book) {
	if !b.guest {
		return
	}
	b.guest = false
	if l.of[b.origin] -= b.bytes; l.of[b.origin] == 0 {
		delete(l.of, b.origin)
	}
}

// touch notes that b is used now. Called with mu held.
func (l *Library) touch(b *book) {
	l.clock++
	b.last = l.clock
}
