package capsules

import (
	"context"
	"sync"

	"inos/internal/capsule"
	"inos/internal/fault"
)

// ErrNoModule is of a CID that Modules does not have.
var ErrNoModule = fault.Internal("capsules: no such module")

// Modules is a supervisor.Blobs of the modules that a test puts there.
type Modules map[capsule.CID][]byte

// ModulesOf has these modules.
func ModulesOf(modules ...[]byte) Modules {
	m := Modules{}
	for _, wasm := range modules {
		m[capsule.SumCID(wasm)] = wasm
	}
	return m
}

// Get implements supervisor.Blobs. The manifest sets no limits. Errors match ErrNoModule.
func (m Modules) Get(_ context.Context, cid capsule.CID) ([]byte, capsule.Manifest, error) {
	wasm, ok := m[cid]
	if !ok {
		return nil, capsule.Manifest{}, ErrNoModule
	}
	return wasm, capsule.Manifest{CID: cid}, nil
}

// ErrImagesFull is of a PutImage for which Images has no room.
var ErrImagesFull = fault.Internal("capsules: no room for the image")

// Images is a supervisor.Images in memory. The zero value is empty; it is safe for
// concurrent use.
type Images struct {
	Max int // images; 0: as many as come

	mu     sync.Mutex
	images map[capsule.CID][]byte
}

// PutImage implements supervisor.Images. Errors match ErrImagesFull.
func (i *Images) PutImage(_ context.Context, cid capsule.CID, image []byte) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.Max > 0 && len(i.images) >= i.Max {
		return ErrImagesFull
	}
	if i.images == nil {
		i.images = make(map[capsule.CID][]byte)
	}
	i.images[cid] = image
	return nil
}

// GetImage implements supervisor.Images.
func (i *Images) GetImage(_ context.Context, cid capsule.CID) ([]byte, bool, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	image, ok := i.images[cid]
	return image, ok, nil
}
