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

// requestTime bounds a request: both ways and the answering together.
const requestTime = 30 * time.Second

var _ mesh.Requester = (*Mesh)(nil)

func requestProtocol(name string) protocol.ID { return protocol.ID(Prefix + "/" + name + "/1") }

// Request implements mesh.Requester: one frame there, one back.
func (m *Mesh) Request(ctx context.Context, p identity.PeerID, name string, body []byte) ([]byte, error) {
	if err := mesh.Fits("note", uint64(len(body)), mesh.MaxRequestBody); err != nil {
		return nil, fmt.Errorf("%w: %w", mesh.ErrUnsent, err)
	}
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	s, end, err := m.open(ctx, p, requestProtocol(name))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", mesh.ErrUnsent, err)
	}
	answer, err := exchange(s, body)
	end(err)
	return answer, m.explain(ctx, p, err)
}

func exchange(s *frames, body []byte) ([]byte, error) {
	if err := s.send(body); err != nil {
		return nil, err
	}
	data, err := s.read(mesh.MaxRequestBody)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return data, err
}

// answerRequest serves one request called name.
func (m *Mesh) answerRequest(name string) answer {
	return func(ctx context.Context, from identity.PeerID, s *frames) error {
		ctx, cancel := context.WithTimeout(ctx, requestTime)
		defer cancel()
		data, err := s.read(mesh.MaxRequestBody)
		if err != nil {
			return err
		}
		f := m.cfg.Requests[name]
		if f == nil {
			return fmt.Errorf("%w: no %s is taken here", mesh.ErrProtocol, name)
		}
		reply, err := f(ctx, from, data)
		if err != nil {
			return err
		}
		if len(reply) > mesh.MaxRequestBody {
			return fmt.Errorf("%w: answer of %d bytes", mesh.ErrProtocol, len(reply))
		}
		return s.send(reply)
	}
}
