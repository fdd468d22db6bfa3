package p2p

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"inos/internal/capsule"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/wire"
)

const (
	fetchTries   = 3
	maxPartials  = 4
	partialBytes = 64 << 20 // kept of capsules that have not come whole
	partialTime  = 5 * time.Minute
)

// FetchCapsule gets a capsule from p in verified chunks: the manifest's
// signature and CID first, each chunk against its digest, the whole against the
// CID. A stream that breaks is resumed after the last good chunk, here and in
// the next call for the same CID. Errors: mesh.ErrNotFound, ErrSignature,
// ErrProtocol (a chunk or a figure is wrong), call.Room's, and RunJob's.
func (m *Mesh) FetchCapsule(ctx context.Context, p identity.PeerID, call mesh.FetchCall) (mesh.Blob, error) {
	cid := call.CID
	part := m.partial.take(cid)
	var err error
	for range fetchTries {
		before := part.chunks()
		if err = m.fetchOnce(ctx, p, call, part); err == nil {
			blob, err := part.blob(cid)
			blob.Origin = m.networkOf(p)
			return blob, err
		}
		if !errors.Is(err, mesh.ErrUnreachable) || part.chunks() == before {
			break // only a stream that made progress is worth another one
		}
	}
	m.partial.keep(cid, part)
	return mesh.Blob{}, err
}

func (m *Mesh) fetchOnce(ctx context.Context, p identity.PeerID, call mesh.FetchCall, part *part) error {
	s, end, err := m.open(ctx, p, CapsuleProtocol)
	if err != nil {
		return err
	}
	err = m.receive(s, call, part)
	end(err)
	return m.explain(ctx, p, err)
}

func (m *Mesh) receive(s *frames, call mesh.FetchCall, part *part) error {
	cid := call.CID
	env, err := wire.WithFetch(call.Envelope, wire.CapsuleWant{CID: cid.String(), FromChunk: uint32(part.chunks())})
	var want []byte
	if err == nil {
		want, err = wire.SendEnvelope(env, m.cfg.Now())
	}
	if err != nil {
		return fmt.Errorf("%w: want: %w", mesh.ErrEncode, err)
	}
	if err := s.send(want); err != nil {
		return err
	}
	f, err := readCapsuleFrame(s, requestFrame)
	if err != nil {
		return err
	}
	switch {
	case f.Missing != "":
		return fmt.Errorf("%w: capsule %s", mesh.ErrNotFound, cid)
	case f.Have == nil:
		return fmt.Errorf("%w: no manifest", mesh.ErrProtocol)
	}
	if err := part.begin(cid, f.Have, m.cfg.maxTransfer); err != nil {
		return err
	}
	if call.Room != nil {
		if err := call.Room(part.manifest.Size); err != nil {
			return fmt.Errorf("%w: %w", mesh.ErrNoRoom, err)
		}
	}
	s.pace()
	defer s.unpace()
	for part.chunks() < len(part.manifest.Chunks) {
		f, err := readCapsuleFrame(s, chunkFrame)
		if err != nil {
			return err
		}
		if f.Chunk == nil {
			return fmt.Errorf("%w: no chunk", mesh.ErrProtocol)
		}
		if err := part.add(*f.Chunk); err != nil {
			return err
		}
		s.discount(len(s.in) - len(f.Chunk.Data))
	}
	return nil
}

func readCapsuleFrame(s *frames, limit int) (wire.CapsuleFrame, error) {
	data, err := s.read(limit)
	if err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return wire.CapsuleFrame{}, err
	}
	return wire.DecodeCapsuleFrame(data)
}

// part is a capsule on its way: a manifest and the first chunks, all verified.
type part struct {
	signed   []byte
	manifest capsule.Manifest
	data     []byte
	kept     time.Time
}

func (p *part) chunks() int {
	if p.manifest.ChunkSize == 0 {
		return 0
	}
	size := int(p.manifest.ChunkSize)
	return (len(p.data) + size - 1) / size
}

// begin checks a manifest. One that cuts the capsule otherwise than the chunks
// at hand starts it anew, which the sender was not asked for: an error then.
func (p *part) begin(cid capsule.CID, signed []byte, limit uint64) error {
	manifest, _, err := wire.OpenManifest(signed)
	if err != nil {
		return err
	}
	if err := fits(manifest, cid, limit); err != nil {
		return err
	}
	if had := p.chunks(); had > 0 && !sameCut(manifest, p.manifest) {
		*p = part{}
		return fmt.Errorf("%w: %d chunks are cut otherwise", mesh.ErrProtocol, had)
	}
	p.signed, p.manifest = append([]byte(nil), signed...), manifest
	return nil
}

// fits reports whether manifest can describe cid and its figures agree.
func fits(manifest capsule.Manifest, cid capsule.CID, limit uint64) error {
	size, chunk := manifest.Size, uint64(manifest.ChunkSize)
	switch {
	case manifest.CID != cid:
		return fmt.Errorf("%w: manifest of %s, asked %s", mesh.ErrProtocol, manifest.CID, cid)
	case size > limit:
		return fmt.Errorf("%w: capsule of %d bytes, at most %d", mesh.ErrProtocol, size, limit)
	case chunk == 0 || chunk > maxChunk:
		return fmt.Errorf("%w: chunks of %d bytes, at most %d", mesh.ErrProtocol, chunk, maxChunk)
	case uint64(len(manifest.Chunks)) != (size+chunk-1)/chunk:
		return fmt.Errorf("%w: %d chunks of %d bytes for %d", mesh.ErrProtocol, len(manifest.Chunks), chunk, size)
	}
	return nil
}

func sameCut(a, b capsule.Manifest) bool {
	if a.Size != b.Size || a.ChunkSize != b.ChunkSize || len(a.Chunks) != len(b.Chunks) {
		return false
	}
	for i := range a.Chunks {
		if a.Chunks[i] != b.Chunks[i] {
			return false
		}
	}
	return true
}

func (p *part) add(c wire.CapsuleChunk) error {
	i := p.chunks()
	if int(c.Index) != i {
		return fmt.Errorf("%w: chunk %d, expected %d", mesh.ErrProtocol, c.Index, i)
	}
	length := min(uint64(p.manifest.ChunkSize), p.manifest.Size-uint64(len(p.data)))
	if uint64(len(c.Data)) != length {
		return fmt.Errorf("%w: chunk %d has %d bytes, not %d", mesh.ErrProtocol, i, len(c.Data), length)
	}
	if sha256.Sum256(c.Data) != p.manifest.Chunks[i] {
		return fmt.Errorf("%w: chunk %d is not what the manifest says", mesh.ErrProtocol, i)
	}
	p.data = append(p.data, c.Data...)
	return nil
}

func (p *part) blob(cid capsule.CID) (mesh.Blob, error) {
	if capsule.SumCID(p.data) != cid {
		return mesh.Blob{}, fmt.Errorf("%w: the chunks are not %s", mesh.ErrProtocol, cid)
	}
	return mesh.Blob{Manifest: p.manifest, SignedManifest: p.signed, Wasm: p.data}, nil
}

// partials keeps what came of capsules whose transfer broke off.
type partials struct {
	mu    sync.Mutex
	parts map[capsule.CID]*part
}

func newPartials() *partials { return &partials{parts: map[capsule.CID]*part{}} }

// take removes and returns what is there of cid; the caller owns it.
func (ps *partials) take(cid capsule.CID) *part {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	p := ps.parts[cid]
	delete(ps.parts, cid)
	if p == nil || time.Since(p.kept) > partialTime {
		return &part{}
	}
	return p
}

func (ps *partials) keep(cid capsule.CID, p *part) {
	if p.chunks() == 0 || len(p.data) > partialBytes {
		return
	}
	p.kept = time.Now()
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ps.parts[cid] = p
	for {
		total, oldest := 0, cid
		for c, q := range ps.parts {
			total += len(q.data)
			if q.kept.Before(ps.parts[oldest].kept) {
				oldest = c
			}
		}
		if len(ps.parts) <= maxPartials && total <= partialBytes {
			return
		}
		delete(ps.parts, oldest)
		if oldest == cid {
			return
		}
	}
}
