package library

import (
	"slices"

	"inos/internal/capsule"
	"inos/internal/identity"
	"inos/internal/mesh"
)

const (
	// manifestsAtMost bounds the publishers of one capsule that are remembered. Past it the
	// one that came first goes, this node never.
	manifestsAtMost = 16
	// maxName is how much of a name from elsewhere is kept, in bytes.
	maxName = 256
)

// manifest is what one publisher says of a capsule.
type manifest struct {
	capsule.Manifest
	publisher identity.PeerID
	signed    []byte
}

// manifests are those of one capsule, one a publisher: this node's first, then in the
// order in which they came.
type manifests []manifest

func (ms *manifests) has(publisher identity.PeerID) bool {
	return slices.ContainsFunc(*ms, func(m manifest) bool { return m.publisher == publisher })
}

// add takes m in; a newer one of a publisher replaces its older one.
func (ms *manifests) add(m manifest, self identity.PeerID) {
	for i := range *ms {
		if (*ms)[i].publisher == m.publisher {
			(*ms)[i] = m
			return
		}
	}
	if m.publisher == self {
		*ms = slices.Insert(*ms, 0, m)
		return
	}
	if len(*ms) >= manifestsAtMost {
		first := 0
		if (*ms)[0].publisher == self {
			first = 1
		}
		*ms = slices.Delete(*ms, first, first+1)
	}
	*ms = append(*ms, m)
}

// with is b as m describes it.
func (b *book) with(m manifest) mesh.Blob {
	return mesh.Blob{Manifest: m.Manifest, Publisher: m.publisher, SignedManifest: m.signed, Wasm: b.wasm}
}
