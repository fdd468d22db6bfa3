package library

import (
	"slices"

	"inos/internal/capsule"
	"inos/internal/identity"
	"inos/internal/mesh"
)

const (
	// manifestsAtMost bounds the remembered publishers of one capsule. At the bound the earliest
	// is dropped, but never this node.
	manifestsAtMost = 16
	// maxName is how many bytes of a name from elsewhere are kept.
	maxName = 256
)

// manifest is one publisher's manifest of a capsule.
type manifest struct {
	capsule.Manifest
	publisher identity.PeerID
	signed    []byte
}

// manifests are those of one capsule, one per publisher: this node's first, then in order of
// arrival.
type manifests []manifest

func (ms *manifests) has(publisher identity.PeerID) bool {
	return slices.ContainsFunc(*ms, func(m manifest) bool { return m.publisher == publisher })
}

// add adds m, in place of an older one of the same publisher.
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

// with returns b with the manifest m.
func (b *book) with(m manifest) mesh.Blob {
	return mesh.Blob{Manifest: m.Manifest, Publisher: m.publisher, SignedManifest: m.signed, Wasm: b.wasm}
}
