package p2p

import (
	"context"
	"fmt"
	"io"
	"time"

	"inos/internal/capsule"
	"inos/internal/clock"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/wire"
)

const (
	commandTime = time.Minute      // of a command without a deadline
	maxCommand  = 10 * time.Minute // of any command
)

// Command sends one envelope with a LifecycleCmd and blocks until its LifecycleReply, at most until
// ctx ends or the command's deadline passes. The time left travels instead of the deadline, since
// the two clocks may differ. Errors are those of RunJob.
func (m *Mesh) Command(ctx context.Context, p identity.PeerID, call mesh.CommandCall) (capsule.Reply, error) {
	cmd := call.Command
	if !cmd.Deadline.IsZero() {
		cmd.Timeout = max(m.patience(cmd), 1)
	}
	env, err := wire.WithCommand(call.Envelope, cmd)
	var data []byte
	if err == nil {
		data, err = wire.SendEnvelope(env, m.cfg.Now())
	}
	if err != nil {
		return capsule.Reply{}, fmt.Errorf("%w: %w: command: %w", mesh.ErrUnsent, mesh.ErrEncode, err)
	}
	if err := mesh.Fits("command", uint64(len(data)), commandFrame); err != nil {
		return capsule.Reply{}, fmt.Errorf("%w: %w", mesh.ErrUnsent, err)
	}
	ctx, cancel := context.WithTimeout(ctx, m.patience(cmd)+m.cfg.StallTimeout)
	defer cancel()
	s, end, err := m.open(ctx, p, LifecycleProtocol)
	if err != nil {
		return capsule.Reply{}, err
	}
	reply, err := ask(s, data)
	if err == nil && reply.ID != cmd.ID {
		err = fmt.Errorf("%w: reply to %.80q, asked %.80q", mesh.ErrProtocol, reply.ID, cmd.ID)
	}
	end(err)
	return reply, m.explain(ctx, p, err)
}

func ask(s *frames, command []byte) (capsule.Reply, error) {
	if err := s.send(command); err != nil {
		return capsule.Reply{}, err
	}
	_ = s.s.SetReadDeadline(time.Time{}) // the caller's context has it
	data, err := s.readPatiently(replyFrame)
	if err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return capsule.Reply{}, err
	}
	reply, err := wire.DecodeReply(data)
	mesh.HearReply(&reply)
	return reply, err
}

// patience is how long a command may take.
func (m *Mesh) patience(cmd capsule.Command) time.Duration {
	if cmd.Deadline.IsZero() {
		return commandTime
	}
	return min(max(cmd.Deadline.Sub(m.cfg.Now()), 0), maxCommand)
}

// answerCommand serves one command. The handler's context ends at the command's
// deadline and when the caller goes away.
func (m *Mesh) answerCommand(ctx context.Context, from identity.PeerID, s *frames) error {
	data, err := s.read(commandFrame)
	if err != nil {
		return err
	}
	var call mesh.CommandCall
	var ahead time.Duration
	if call.Envelope, ahead, err = m.received(from, data); err != nil {
		return err
	}
	cmd, err := wire.CommandOf(call.Envelope)
	if err != nil {
		return err
	}
	if now := m.cfg.Now(); cmd.Timeout > 0 {
		cmd.Deadline, cmd.Timeout = now.Add(min(cmd.Timeout, maxCommand)), 0
	} else {
		cmd.Deadline = clock.Here(cmd.Deadline, ahead, now)
	}
	call.Command = cmd
	call.Origin = networkOf(s.s.Conn().RemoteMultiaddr(), s.s.Conn().RemotePeer())
	ctx, cancel := context.WithTimeout(ctx, m.patience(cmd))
	defer cancel()
	ctx, gone := context.WithCancelCause(ctx)
	defer gone(nil)
	listening := make(chan struct{})
	go func() {
		defer close(listening)
		listenForCancel(s, gone)
	}()
	reply := capsule.Reply{Code: capsule.Unsupported, Message: "p2p: no handler", Timestamp: m.cfg.Now()}
	if m.cfg.Handler != nil {
		reply = m.cfg.Handler.HandleCommand(ctx, from, call)
	}
	reply.ID = cmd.ID
	if data, err = wire.EncodeReply(reply); err == nil {
		err = s.send(data)
	}
	_ = s.s.CloseRead()
	<-listening
	return err
}
