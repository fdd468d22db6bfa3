// Package capsules is what tests of capsules share: a codec that needs no schema, and the
// capsules that `make capsules` builds. Only tests import it.
package capsules

import (
	"encoding/json"
	"fmt"

	"inos/internal/capsule"
)

// JSONCodec is a capsule.Codec in JSON, for the packages that may not import internal/wire.
type JSONCodec struct{}

// Encode implements capsule.Codec.
func (JSONCodec) Encode(msg any) (capsule.FrameKind, []byte, error) {
	var kind capsule.FrameKind
	switch msg.(type) {
	case capsule.Command:
		kind = capsule.FrameCommand
	case capsule.Reserve:
		kind = capsule.FrameReserve
	case capsule.Run:
		kind = capsule.FrameRun
	case capsule.Release:
		kind = capsule.FrameRelease
	default:
		return 0, nil, fmt.Errorf("no frame for %T", msg)
	}
	b, err := json.Marshal(msg)
	return kind, b, err
}

// Decode implements capsule.Codec.
func (JSONCodec) Decode(kind capsule.FrameKind, payload []byte) (any, error) {
	switch kind {
	case capsule.FrameReply:
		return parse[capsule.Reply](payload)
	case capsule.FrameHeartbeat:
		return parse[capsule.Heartbeat](payload)
	case capsule.FrameReserved:
		return parse[capsule.Reserved](payload)
	case capsule.FrameRunDone:
		return parse[capsule.RunDone](payload)
	case capsule.FrameLog:
		return parse[capsule.Log](payload)
	case capsule.FrameProgress:
		return parse[capsule.Progress](payload)
	}
	return nil, fmt.Errorf("kind %d", kind)
}

// Heard decodes what a capsule hears: a Command, Reserve, Run or Release.
func (JSONCodec) Heard(kind capsule.FrameKind, payload []byte) (any, error) {
	switch kind {
	case capsule.FrameCommand:
		return parse[capsule.Command](payload)
	case capsule.FrameReserve:
		return parse[capsule.Reserve](payload)
	case capsule.FrameRun:
		return parse[capsule.Run](payload)
	case capsule.FrameRelease:
		return parse[capsule.Release](payload)
	}
	return nil, fmt.Errorf("kind %d", kind)
}

func parse[T any](payload []byte) (any, error) {
	var m T
	err := json.Unmarshal(payload, &m)
	return m, err
}
