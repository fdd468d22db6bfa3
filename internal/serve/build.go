package serve

import (
	"encoding/json"
	"fmt"
	"io/fs"

	"inos/internal/fault"
)

// ErrNotPacked says that the folder holds no packed shell. Final: pack it again.
var ErrNotPacked = fault.Internal("serve: not a packed shell")

// buildFile is the list that scripts/pack.mjs writes beside the files.
const buildFile = "build.json"

// Build lists a packed shell.
type Build struct {
	Kernel   Artifact   `json:"kernel"`
	Capsules []Artifact `json:"capsules"`
	Files    []File     `json:"files"`
}

// Artifact is a WebAssembly module of the package. Sizes are in bytes.
type Artifact struct {
	Name   string `json:"name,omitempty"`
	Path   string `json:"path"` // relative to the package
	CID    string `json:"cid,omitempty"`
	Bytes  int64  `json:"bytes"`
	Brotli int64  `json:"brotli"`
}

// File is any file of the package. Immutable says that the name contains a hash of the content,
// so that it may be cached for ever.
type File struct {
	Path      string `json:"path"`
	Bytes     int64  `json:"bytes"`
	Brotli    int64  `json:"brotli"` // 0 when there is no .br beside it
	Gzip      int64  `json:"gzip"`   // 0 when there is no .gz beside it
	SHA256    string `json:"sha256"`
	Immutable bool   `json:"immutable"`
}

// ReadBuild reads the list of the packed shell in dir. Errors match
// ErrNotPacked.
func ReadBuild(dir fs.FS) (Build, error) {
	var b Build
	text, err := fs.ReadFile(dir, buildFile)
	if err != nil {
		return b, fmt.Errorf("%w: %w", ErrNotPacked, err)
	}
	if err := json.Unmarshal(text, &b); err != nil {
		return b, fmt.Errorf("%w: %s: %w", ErrNotPacked, buildFile, err)
	}
	if b.Kernel.Path == "" {
		return b, fmt.Errorf("%w: %s names no kernel", ErrNotPacked, buildFile)
	}
	for _, f := range b.Files {
		if !fs.ValidPath(f.Path) || len(f.SHA256) != 64 {
			return b, fmt.Errorf("%w: %s: bad entry %.80q", ErrNotPacked, buildFile, f.Path)
		}
		info, err := fs.Stat(dir, f.Path)
		if err != nil {
			return b, fmt.Errorf("%w: %w", ErrNotPacked, err)
		}
		if info.Size() != f.Bytes {
			return b, fmt.Errorf("%w: %s has %d bytes and should have %d", ErrNotPacked, f.Path, info.Size(), f.Bytes)
		}
	}
	return b, nil
}
