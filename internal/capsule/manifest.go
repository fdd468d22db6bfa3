package capsule

import "time"

// Manifest describes a capsule. Its publisher signs it; CID and chunk digests
// are checked before anything is compiled.
type Manifest struct {
	CID          CID
	Name         string
	ABIVersion   uint32
	Size         uint64 // bytes
	Capabilities []string
	MemoryLimit  uint64        // bytes
	TimeLimit    time.Duration // per job
	Methods      []string
	ChunkSize    uint32
	Chunks       [][32]byte // SHA-256 of each chunk, in order
}
