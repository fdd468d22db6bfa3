package wire

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"time"

	"inos/internal/capsule"
	"inos/internal/identity"
	systemv1 "inos/schema/system/v1"
)

// EncodeManifest writes m without a signature.
func EncodeManifest(m capsule.Manifest) ([]byte, error) {
	return build(systemv1.NewRootCapsuleManifest, func(s systemv1.CapsuleManifest, p *put) {
		p.do(s.SetCid(m.CID.String()))
		p.do(s.SetName(m.Name))
		s.SetAbiVersion(m.ABIVersion)
		s.SetSize(m.Size)
		p.texts(s.NewCapabilities, m.Capabilities)
		s.SetMemoryLimit(m.MemoryLimit)
		s.SetTimeLimitNs(m.TimeLimit.Nanoseconds())
		p.texts(s.NewMethods, m.Methods)
		s.SetChunkSize(m.ChunkSize)
		chunks, err := s.NewChunks(int32(len(m.Chunks)))
		p.do(err)
		for i := 0; i < len(m.Chunks) && p.err == nil; i++ {
			p.do(chunks.Set(i, m.Chunks[i][:]))
		}
	})
}

// DecodeManifest reads a manifest. Errors match ErrMalformed.
func DecodeManifest(data []byte) (capsule.Manifest, error) {
	var m capsule.Manifest
	err := parse(data, systemv1.ReadRootCapsuleManifest, func(s systemv1.CapsuleManifest, g *get) {
		cid, err := capsule.ParseCID(g.text(s.Cid()))
		g.keep(err)
		m = capsule.Manifest{
			CID:          cid,
			Name:         g.text(s.Name()),
			ABIVersion:   s.AbiVersion(),
			Size:         s.Size(),
			Capabilities: g.texts(s.Capabilities()),
			MemoryLimit:  s.MemoryLimit(),
			TimeLimit:    time.Duration(s.TimeLimitNs()),
			Methods:      g.texts(s.Methods()),
			ChunkSize:    s.ChunkSize(),
		}
		chunks, err := s.Chunks()
		g.keep(err)
		for i := range chunks.Len() {
			d, err := chunks.At(i)
			g.keep(err)
			if len(d) != sha256.Size {
				g.keep(fmt.Errorf("chunk digest of %d bytes", len(d)))
				return
			}
			m.Chunks = append(m.Chunks, [32]byte(d))
		}
	})
	if err != nil {
		return capsule.Manifest{}, err
	}
	return m, nil
}

// SealManifest signs m as its publisher.
func SealManifest(m capsule.Manifest, key ed25519.PrivateKey) ([]byte, error) {
	b, err := EncodeManifest(m)
	if err != nil {
		return nil, err
	}
	return Seal(DomainManifest, b, key)
}

// OpenManifest checks a signed manifest and returns it with its publisher. Errors match
// ErrMalformed or ErrSignature.
func OpenManifest(data []byte) (capsule.Manifest, identity.PeerID, error) {
	payload, publisher, err := Open(DomainManifest, data)
	if err != nil {
		return capsule.Manifest{}, "", err
	}
	m, err := DecodeManifest(payload)
	return m, publisher, err
}
