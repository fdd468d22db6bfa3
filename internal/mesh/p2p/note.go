package p2p

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/libp2p/go-libp2p/core/protocol"

	"inos/internal/identity"
	"inos/internal/mesh"
)

// noteTime bounds a note, both ways and the answering together.
const noteTime = 30 * time.Second

var _ mesh.Courier = (*Mesh)(nil)

func noteProtocol(name string) protocol.ID { return protocol.ID(Prefix + "/" + name + "/1") }

// Tell implements mesh.Courier: one frame there, one back.
func (m *Mesh) Tell(ctx context.Context, p identity.PeerID, name string, body []byte) ([]byte, error) {
	if err := mesh.Fits("note", uint64(len(body)), mesh.MaxNote); err != nil {
		return nil, fmt.Errorf("%w: %w", mesh.ErrUnsent, err)
	}
	ctx, cancel := context.WithTimeout(ctx, noteTime)
	defer cancel()
	s, end, err := m.open(ctx, p, noteProtocol(name))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", mesh.ErrUnsent, err)
	}
	answer, err := tell(s, body)
	end(err)
	return answer, m.explain(ctx, p, err)
}

func tell(s *frames, body []byte) ([]byte, error) {
	if err := s.send(body); err != nil {
		return nil, err
	}
	data, err := s.read(mesh.MaxNote)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return data, err
}

// answerNote serves one note called name.
func (m *Mesh) answerNote(name string) answer {
	return func(ctx context.Context, from identity.PeerID, s *frames) error {
		ctx, cancel := context.WithTimeout(ctx, noteTime)
		defer cancel()
		data, err := s.read(mesh.MaxNote)
		if err != nil {
			return err
		}
		f := m.cfg.Notes[name]
		if f == nil {
			return fmt.Errorf("%w: no %s is taken here", mesh.ErrProtocol, name)
		}
		reply, err := f(ctx, from, data)
		if err != nil {
			return err
		}
		if len(reply) > mesh.MaxNote {
			return fmt.Errorf("%w: answer of %d bytes", mesh.ErrProtocol, len(reply))
		}
		return s.send(reply)
	}
}
