// Package library stores the capsules of this node: by CID and by name, each with the manifests
// that its publishers have signed. It checks every byte against its CID before it stores it, and
// never runs one. The supervisor reads from it, the mesh serves from it.
package library

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"inos/internal/budget"
	"inos/internal/capsule"
	"inos/internal/fault"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/order"
)

// Errors of a library. ErrFull is retryable after a Remove; the others are final.
var (
	ErrUnknown = fault.Final("unknown_capsule", "library: no such capsule")
	// ErrMismatch: the bytes are not those of the CID. Advice: publish the capsule again, or give the CID of what
	// you have.
	ErrMismatch = fault.Final("cid_mismatch", "library: bytes do not match the CID")
	// ErrFull: the node's library of capsules is full. Advice: try again later, or elsewhere.
	ErrFull = fault.Retryable("library_full", "library: full")
)

// Defaults of Config.
const (
	DefaultCapacity  = 256 << 20 // bytes
	DefaultChunkSize = 256 << 10 // bytes
)

// Config of a Library. The zero value of a field is its default; Sign must be set.
type Config struct {
	// Sign signs a manifest with this node as its publisher, for what it publishes itself.
	Sign func(capsule.Manifest) ([]byte, error)
	// Verify checks a signed manifest from elsewhere and returns its content and its signer.
	Verify func(signed []byte) (capsule.Manifest, identity.PeerID, error)
	// Self is the identity that Sign signs with.
	Self     identity.PeerID
	Capacity uint64 // bytes of all capsules together
	// Memory is the budget that capsules take bytes from before they are stored. nil: Capacity
	// alone bounds them.
	Memory    *budget.Memory
	ChunkSize uint32 // bytes per chunk of a manifest made here
}

// Loader fetches a capsule's bytes when they are first needed.
type Loader func(ctx context.Context) ([]byte, error)

// Library is safe for concurrent use. It owns no goroutine and needs no Close.
type Library struct {
	cfg   Config
	mu    sync.Mutex
	books map[capsule.CID]*book
	names map[string]capsule.CID
	used  uint64
	taken uint64            // of Config.Memory
	clock uint64            // counts uses
	of    map[string]uint64 // bytes of guests, by their origin
	pins  []*pin            // in the order in which they were set
}

// book is one capsule. The goroutine that loads it holds loading. wasm and manifests are set
// under mu.
type book struct {
	name      string
	load      Loader
	loading   sync.Mutex
	wasm      []byte
	manifests manifests
	guest     bool   // from elsewhere; evicted to make room
	origin    string // network it came from
	last      uint64 // last use, by Library.clock
	bytes     uint64 // that are counted for it
}

// Entry describes one capsule for a listing.
type Entry struct {
	CID    string
	Name   string
	Size   uint64 // bytes, 0 until loaded
	Loaded bool
}

// New returns an empty library.
func New(cfg Config) (*Library, error) {
	if cfg.Sign == nil || cfg.Verify == nil {
		return nil, errors.New("library: Sign and Verify are required")
	}
	if cfg.Capacity == 0 {
		cfg.Capacity = DefaultCapacity
	}
	if cfg.ChunkSize == 0 {
		cfg.ChunkSize = DefaultChunkSize
	}
	return &Library{cfg: cfg, books: map[capsule.CID]*book{}, names: map[string]capsule.CID{}, of: map[string]uint64{}}, nil
}

// Announce makes cid known under name. load runs when the bytes are first needed. A name
// announced again points to the newer CID.
func (l *Library) Announce(name string, cid capsule.CID, load Loader) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch b := l.books[cid]; {
	case b == nil:
		l.books[cid] = &book{name: name, load: load}
	case b.load == nil: // it came from elsewhere before
		b.name, b.load = name, load
		l.stays(b)
	}
	if name != "" {
		l.names[name] = cid
	}
}

// Publish stores wasm under name with a manifest signed by this node. It inspects the module, so
// what it publishes can be spawned, and other nodes can fetch it. Errors are Inspect's, or match
// mesh.ErrTooBig, ErrName, ErrFull, budget.ErrFull, or ErrTaken when other bytes have the name.
func (l *Library) Publish(name string, wasm []byte) (capsule.CID, error) {
	return l.publishAs(name, wasm, false)
}

// Replace is Publish, but takes the name from other bytes that have it. Those stay, under their
// CID.
func (l *Library) Replace(name string, wasm []byte) (capsule.CID, error) {
	return l.publishAs(name, wasm, true)
}

func (l *Library) publishAs(name string, wasm []byte, replace bool) (capsule.CID, error) {
	if err := CheckName(name); err != nil {
		return capsule.CID{}, err
	}
	blob, err := l.publish(name, wasm)
	if err != nil {
		return capsule.CID{}, err
	}
	return blob.Manifest.CID, l.keep(name, blob, replace)
}

func (l *Library) publish(name string, wasm []byte) (mesh.Blob, error) {
	if err := mesh.Travels(wasm); err != nil {
		return mesh.Blob{}, err
	}
	info, err := capsule.Inspect(wasm)
	if err != nil {
		return mesh.Blob{}, err
	}
	m := capsule.Manifest{
		CID:         info.CID,
		Name:        name,
		ABIVersion:  capsule.ABIVersion,
		Size:        uint64(len(wasm)),
		MemoryLimit: uint64(info.MaxPages) << 16,
		ChunkSize:   l.cfg.ChunkSize,
	}
	return l.sign(m, wasm)
}

// Seal makes a blob of bytes that are no module, such as a snapshot, with a manifest signed by
// this node. It does not store the blob. The only errors are Config.Sign's.
func (l *Library) Seal(name string, b []byte) (mesh.Blob, error) {
	return l.sign(capsule.Manifest{CID: capsule.SumCID(b), Name: name, ABIVersion: capsule.ABIVersion, Size: uint64(len(b)), ChunkSize: l.cfg.ChunkSize}, b)
}

// sign completes and signs a manifest of b.
func (l *Library) sign(m capsule.Manifest, b []byte) (mesh.Blob, error) {
	for chunk := range slices.Chunk(b, int(l.cfg.ChunkSize)) {
		m.Chunks = append(m.Chunks, sha256.Sum256(chunk))
	}
	signed, err := l.cfg.Sign(m)
	if err != nil {
		return mesh.Blob{}, fmt.Errorf("library: signing the manifest of %q: %w", m.Name, err)
	}
	return mesh.Blob{Manifest: m, Publisher: l.cfg.Self, SignedManifest: signed, Wasm: b}, nil
}

// Accept stores a blob from another node after checking its manifest's signature and every byte
// against the CID. Its manifest is kept beside those of other publishers. The blob is a guest:
// see makeRoom. Errors are Config.Verify's, or match ErrMismatch, ErrFull, budget.ErrFull or
// mesh.ErrTooBig.
func (l *Library) Accept(blob mesh.Blob) error {
	m, publisher, err := l.cfg.Verify(blob.SignedManifest)
	if err != nil {
		return err
	}
	if got := capsule.SumCID(blob.Wasm); got != m.CID {
		return fmt.Errorf("%w: manifest says %s, bytes are %s", ErrMismatch, m.CID, got)
	}
	if err := mesh.Fits("manifest", uint64(len(blob.SignedManifest)), maxManifest); err != nil {
		return err
	}
	m.Name = mesh.Printable(m.Name, maxName)
	blob.Manifest, blob.Publisher = m, publisher
	return l.keep("", blob, false)
}

// keep stores blob under name; an empty name gives it none.
func (l *Library) keep(name string, blob mesh.Blob, replace bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	cid := blob.Manifest.CID
	if had, ok := l.names[name]; ok && had != cid && !replace {
		return fmt.Errorf("%w: %q is %s", ErrTaken, name, had)
	}
	b := l.books[cid]
	if b == nil {
		b = &book{name: blob.Manifest.Name}
	}
	own := blob.Publisher == l.cfg.Self && l.cfg.Self != "" || b.load != nil || name != ""
	if own {
		l.stays(b)
	}
	more := 2*uint64(len(blob.SignedManifest)) + bookCost
	if b.wasm == nil {
		more += uint64(len(blob.Wasm))
	}
	if !l.makeRoom(b, blob.Origin, more, own) {
		return fmt.Errorf("%w: %d bytes wanted, %d of %d are of capsules that stay", ErrFull, more, l.staying(), l.cfg.Capacity)
	}
	if err := l.lease(b, blob.Origin, more, own); err != nil {
		return err
	}
	if b.wasm == nil {
		b.wasm = blob.Wasm
		l.books[cid] = b
		if !own {
			b.guest, b.origin = true, blob.Origin
		}
	}
	b.manifests.add(manifest{blob.Manifest, blob.Publisher, blob.SignedManifest}, l.cfg.Self)
	l.weigh(b)
	l.settle()
	l.touch(b)
	if name != "" {
		if had := l.books[l.names[name]]; had != nil && had != b && had.name == name {
			had.name = "" // the name moves to the new one
		}
		b.name = name
		l.names[name] = cid
	}
	return nil
}

// Resolve turns a name or a CID text into the CID of a capsule. A CID need not be stored here,
// since a peer may have it. Errors match ErrUnknown.
func (l *Library) Resolve(nameOrCID string) (capsule.CID, error) {
	l.mu.Lock()
	cid, ok := l.names[nameOrCID]
	l.mu.Unlock()
	if ok {
		return cid, nil
	}
	if cid, err := capsule.ParseCID(nameOrCID); err == nil {
		return cid, nil
	}
	return capsule.CID{}, fmt.Errorf("%w: %q (known: %s)", ErrUnknown, nameOrCID, strings.Join(l.Names(), ", "))
}

// Capsule returns a capsule for handing on, and loads it if need be. Its manifest is this node's
// own when it publishes the capsule, and otherwise the first that arrived.
func (l *Library) Capsule(ctx context.Context, cid capsule.CID) (mesh.Blob, error) {
	return l.find(ctx, cid, func(b *book) (mesh.Blob, bool) {
		if b.load != nil && !b.manifests.has(l.cfg.Self) || len(b.manifests) == 0 {
			return mesh.Blob{}, false
		}
		return b.with(b.manifests[0]), true
	})
}

// CapsuleOf returns a capsule for running, with the manifest of a publisher that trusted
// accepts; this node's own comes first. Without such a publisher, the manifest only says which
// bytes these are, and Publisher is empty: limits set by an untrusted publisher do not count.
func (l *Library) CapsuleOf(ctx context.Context, cid capsule.CID, trusted func(publisher identity.PeerID) bool) (mesh.Blob, error) {
	return l.find(ctx, cid, func(b *book) (mesh.Blob, bool) {
		if b.load != nil && !b.manifests.has(l.cfg.Self) || b.wasm == nil {
			return mesh.Blob{}, false
		}
		for _, m := range b.manifests {
			if trusted(m.publisher) {
				return b.with(m), true
			}
		}
		return mesh.Blob{Manifest: capsule.Manifest{CID: cid, Name: b.name, Size: uint64(len(b.wasm))}, Wasm: b.wasm}, true
	})
}

// find returns the result of look on cid's book, after loading it if look finds nothing.
func (l *Library) find(ctx context.Context, cid capsule.CID, look func(*book) (mesh.Blob, bool)) (mesh.Blob, error) {
	l.mu.Lock()
	b := l.books[cid]
	l.mu.Unlock()
	if b == nil {
		return mesh.Blob{}, fmt.Errorf("%w: %s", ErrUnknown, cid)
	}
	b.loading.Lock()
	defer b.loading.Unlock()
	l.mu.Lock()
	l.touch(b)
	blob, ok := look(b)
	l.mu.Unlock()
	if ok {
		return blob, nil
	}
	if err := l.loaded(ctx, cid, b); err != nil {
		return mesh.Blob{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	blob, _ = look(b)
	return blob, nil
}

// loaded loads the bytes of an announced book, unless they have arrived meanwhile, and adds this
// node's manifest.
func (l *Library) loaded(ctx context.Context, cid capsule.CID, b *book) error {
	l.mu.Lock()
	wasm := b.wasm
	l.mu.Unlock()
	if wasm == nil {
		if b.load == nil {
			return fmt.Errorf("%w: %s", ErrUnknown, cid)
		}
		var err error
		if wasm, err = b.load(ctx); err != nil {
			return fmt.Errorf("library: loading %q: %w", b.name, err)
		}
		if got := capsule.SumCID(wasm); got != cid {
			return fmt.Errorf("%w: %q should be %s, is %s", ErrMismatch, b.name, cid, got)
		}
	}
	own, err := l.publish(b.name, wasm)
	if err != nil {
		return err
	}
	return l.keep("", own, false)
}

// Get is CapsuleOf for callers that trust this node only.
func (l *Library) Get(ctx context.Context, cid capsule.CID) ([]byte, capsule.Manifest, error) {
	blob, err := l.CapsuleOf(ctx, cid, func(p identity.PeerID) bool { return p == l.cfg.Self })
	return blob.Wasm, blob.Manifest, err
}

// Has reports whether cid's bytes are stored or can be loaded here.
func (l *Library) Has(cid capsule.CID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.books[cid] != nil
}

// Names returns the names, sorted.
func (l *Library) Names() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]string, 0, len(l.names))
	for name := range l.names {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// List describes every capsule, sorted by name, then CID.
func (l *Library) List() []Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]Entry, 0, len(l.books))
	for cid, b := range l.books {
		e := Entry{CID: cid.String(), Name: b.name}
		if b.wasm != nil {
			e.Size, e.Loaded = uint64(len(b.wasm)), true
		}
		out = append(out, e)
	}
	order.By(out, func(a, b Entry) int {
		if c := strings.Compare(a.Name, b.Name); c != 0 {
			return c
		}
		return strings.Compare(a.CID, b.CID)
	})
	return out
}
