package kernel

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"time"

	"inos/internal/governance"
	"inos/internal/kernel/lifecycle"
	"inos/internal/trace"
)

// Message makes the envelope of a message of this kind that is not a job, without its payload. It
// fills in the DNA that the caller left out.
func (k *Kernel) Message(ctx context.Context, kind string, dna governance.Metadata) governance.Envelope {
	if dna.ModuleID == "" {
		dna.ModuleID = "inos.kernel"
	}
	if dna.DeviceID == "" {
		dna.DeviceID = string(k.cfg.Self)
	}
	if dna.TraceParent == "" {
		dna.TraceParent = trace.Context{}.Child().String()
	}
	dna.Version = max(dna.Version, 1)
	now := k.cfg.Now()
	return sending(ctx, governance.Envelope{ID: messageID(now), Type: kind, Timestamp: now, Metadata: dna, Version: 1})
}

// Pass checks a message of another node: the envelope must be of that kind and Gate.Message must
// accept its DNA. Errors match lifecycle.ErrDenied.
func (k *Kernel) Pass(env governance.Envelope, kind string) error {
	if env.Type != kind {
		return fmt.Errorf("%w: an envelope of type %.80q, not %s", lifecycle.ErrDenied, env.Type, kind)
	}
	if err := k.cfg.Gate.Message(env, k.cfg.Now()); err != nil {
		return fmt.Errorf("%w: %w", lifecycle.ErrDenied, err)
	}
	return nil
}

// messageID is a UUIDv7 (RFC 9562, section 5.7).
func messageID(now time.Time) string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // it never fails
	binary.BigEndian.PutUint64(id[:8], uint64(now.UnixMilli())<<16|uint64(binary.BigEndian.Uint16(id[6:])))
	id[6], id[8] = id[6]&0x0f|0x70, id[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}
