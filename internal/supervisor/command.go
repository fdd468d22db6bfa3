package supervisor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"inos/internal/capsule"
	"inos/internal/fault"
)

// Command carries out cmd and returns its one Reply, with cmd's id. It blocks until then, at most
// until cmd.Deadline, or for Config.CommandTimeout when there is none. A command that is not done
// by then, or when ctx ends, gets code Deadline. A capsule killed by command is not started again.
func (s *Supervisor) Command(ctx context.Context, cmd capsule.Command) capsule.Reply {
	now := time.Now()
	if cmd.Deadline.IsZero() {
		cmd.Deadline = now.Add(s.cfg.CommandTimeout)
	}
	ctx, cancel := context.WithDeadlineCause(ctx, cmd.Deadline, capsule.ErrDeadline)
	defer cancel()
	var r capsule.Reply
	if ctx.Err() != nil {
		r = refusal(capsule.Deadline, context.Cause(ctx))
	} else if cmd.Type == capsule.Spawn {
		r = s.spawn(ctx, cmd)
	} else {
		r = s.command(ctx, cmd)
	}
	r.ID = cmd.ID
	if r.Timestamp.IsZero() {
		r.Timestamp = time.Now()
	}
	return r
}

func refusal(code capsule.ReplyCode, err error) capsule.Reply {
	return capsule.Reply{Code: code, Message: err.Error(), Reason: reasonCode(err)}
}

// reasonCode returns the stable code that a reply carries for err, "" when there is none.
func reasonCode(err error) string {
	if e := fault.Among(err, func(e *fault.Error) bool {
		return e == ErrBusy || e == ErrNoCapsule || e == ErrWrongBytes ||
			e.Of("capsule", "library", "budget", "credit", "governance") // packages that capsules and snapshots come from
	}); e != nil {
		return e.Code()
	}
	return ""
}

func (s *Supervisor) spawn(ctx context.Context, cmd capsule.Command) capsule.Reply {
	p := cmd.Spawn
	if p == nil {
		return refusal(capsule.BadParams, fmt.Errorf("%w: spawn without SpawnParams", ErrConfig))
	}
	if p.Restart > capsule.Temporary || p.Strategy > capsule.RestForOne || p.Group == "" && p.Strategy != capsule.OneForOne {
		return refusal(capsule.BadParams, fmt.Errorf("%w: restart %d, strategy %d, group %.80q", ErrConfig, p.Restart, p.Strategy, p.Group))
	}
	sp := spec{memoryLimit: p.MemoryLimit, policy: p.Restart, args: p.Args, group: p.Group, strategy: p.Strategy}
	if sp.policy == capsule.DefaultRestart {
		sp.policy = s.cfg.Policy
	}
	if len(p.Wasm) > 0 {
		sp.wasm, sp.cid = p.Wasm, capsule.SumCID(p.Wasm)
	}
	switch cid, err := capsule.ParseCID(p.CID); {
	case p.CID == "" && sp.wasm != nil:
	case err != nil:
		return refusal(capsule.BadParams, err)
	case sp.wasm != nil && cid != sp.cid:
		return refusal(capsule.BadParams, fmt.Errorf("%w: want %s, got %s", ErrWrongBytes, cid, sp.cid))
	default:
		sp.cid = cid
	}
	im, err := s.image(ctx, sp)
	if err != nil {
		return refusal(codeOf(err), err)
	}
	if im != nil {
		sp.image, sp.cid, sp.wasm = im, im.CapsuleCID, nil
	}
	sp.began = func() { capsule.Begin(ctx) }
	ch, err := s.start(ctx, sp)
	if err != nil {
		r := refusal(codeOf(err), err)
		if ch != nil {
			r.CapsuleID = ch.id
		}
		return r
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	in := ch.info()
	return capsule.Reply{CapsuleID: ch.id, MemoryBytes: in.MemoryBytes, MemoryEpoch: in.Epoch}
}

// codeOf returns the reply code of a capsule that did not start.
func codeOf(err error) capsule.ReplyCode {
	switch {
	case errors.Is(err, capsule.ErrArgs), errors.Is(err, ErrConfig):
		return capsule.BadParams
	case errors.Is(err, capsule.ErrDeadline), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return capsule.Deadline
	case errors.Is(err, capsule.ErrNotReady), errors.Is(err, capsule.ErrTrap), errors.Is(err, capsule.ErrRingBroken),
		errors.Is(err, capsule.ErrProtocol), errors.Is(err, capsule.ErrStopped):
		return capsule.Crashed
	default:
		return capsule.Refused
	}
}

// command carries out a command for an existing capsule.
func (s *Supervisor) command(ctx context.Context, cmd capsule.Command) capsule.Reply {
	s.mu.Lock()
	ch, c, refused := s.target(cmd)
	if refused == nil && cmd.Type == capsule.Kill {
		s.retire(ch, killReason(cmd), ended)
	}
	s.mu.Unlock()
	if refused != nil {
		return *refused
	}
	if cmd.Type == capsule.Kill {
		return s.killed(ctx, ch, c, cmd)
	}
	if cmd.Type == capsule.Snapshot {
		return s.snapshot(ctx, c, cmd)
	}
	asked := time.Now()
	r, err := c.Command(ctx, cmd)
	switch {
	case r.Code == capsule.OK:
		s.obeyed(ch, c, cmd.Type)
	case cmd.Type == capsule.Pause && (errors.Is(err, capsule.ErrDeadline) || errors.Is(err, context.DeadlineExceeded)):
		s.overdue(ch, c, asked)
	}
	if r.Reason == "" && err != nil {
		r.Reason = reasonCode(err)
	}
	return r
}

// target returns the capsule of a command, or a reply that says why it cannot take the command. The
// caller holds mu.
func (s *Supervisor) target(cmd capsule.Command) (*child, *capsule.Capsule, *capsule.Reply) {
	ch := s.live[cmd.Target]
	if ch == nil {
		ch = s.ended[cmd.Target]
	}
	if ch == nil {
		r := refusal(capsule.UnknownCapsule, fmt.Errorf("%w: %.80q", ErrNoCapsule, cmd.Target))
		return nil, nil, &r
	}
	refuse := func(code capsule.ReplyCode, err error) (*child, *capsule.Capsule, *capsule.Reply) {
		r := refusal(code, err)
		in := ch.info()
		r.CapsuleID, r.MemoryBytes, r.MemoryEpoch = ch.id, in.MemoryBytes, in.Epoch
		return nil, nil, &r
	}
	impossible := &TransitionError{From: ch.state.String(), Change: cmd.Type.String()}
	if ch.forJob && cmd.Type != capsule.Kill {
		return refuse(capsule.InvalidState, fmt.Errorf("%w: %s does a job, and takes no command but kill", ErrTransition, ch.id))
	}
	switch cmd.Type {
	case capsule.Kill:
		if !ch.state.Live() {
			return refuse(capsule.InvalidState, impossible)
		}
		return ch, ch.cap, nil
	case capsule.Snapshot:
		if s.cfg.Images == nil {
			return refuse(capsule.Unsupported, errNoImages)
		}
		if ch.cap == nil || ch.stopping || ch.state != Paused {
			return refuse(capsule.InvalidState, impossible)
		}
		return ch, ch.cap, nil
	case capsule.ResizeMem:
		if cmd.Resize == nil || cmd.Resize.Bytes == 0 {
			return refuse(capsule.BadParams, fmt.Errorf("%w: resizeMem without a length", ErrConfig))
		}
		if ch.cap == nil || ch.stopping {
			return refuse(capsule.InvalidState, impossible)
		}
		return ch, ch.cap, nil
	case capsule.Pause:
		if ch.cap == nil || ch.stopping || ch.state != Healthy && ch.state != Degraded {
			return refuse(capsule.InvalidState, impossible)
		}
		return ch, ch.cap, nil
	case capsule.Resume:
		if ch.cap == nil || ch.stopping || ch.state != Paused {
			return refuse(capsule.InvalidState, impossible)
		}
		return ch, ch.cap, nil
	default:
		return refuse(capsule.Unsupported, fmt.Errorf("supervisor: %s: %w", cmd.Type, errors.ErrUnsupported))
	}
}

// obeyed records the effect of a command that the capsule has answered; the next heartbeat confirms
// it.
func (s *Supervisor) obeyed(ch *child, c *capsule.Capsule, t capsule.CommandType) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ch.cap != c {
		return
	}
	switch t {
	case capsule.Pause:
		_ = s.apply(ch, reportedPaused, "by command", time.Now())
	case capsule.Resume:
		_ = s.apply(ch, reportedHealthy, "by command", time.Now())
	case capsule.ResizeMem:
		ch.epoch = c.Epoch()
	}
}

// overdue handles a capsule that was not paused by its deadline.
func (s *Supervisor) overdue(ch *child, c *capsule.Capsule, asked time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ch.cap != c || ch.stopping || ch.ending() {
		return
	}
	now := time.Now()
	// A capsule that a listener holds back may have paused: its answer waits in the ring.
	killed := s.cfg.Overdue == KillOverdue && !ch.outlet.full.Load()
	s.cfg.Emit(PauseOverdue{ID: ch.id, After: now.Sub(asked), Killed: killed, At: now})
	if killed {
		s.kill(ch, fmt.Errorf("%w: no safe point within %v", ErrPauseOverdue, now.Sub(asked).Round(time.Millisecond)))
	}
}

func killReason(cmd capsule.Command) string {
	if cmd.Kill != nil && cmd.Kill.Reason != "" {
		return cmd.Kill.Reason
	}
	return "killed by command"
}

// killed ends a retired capsule and waits for its end.
func (s *Supervisor) killed(ctx context.Context, ch *child, c *capsule.Capsule, cmd capsule.Command) capsule.Reply {
	r := capsule.Reply{CapsuleID: ch.id}
	if c != nil {
		r, _ = c.Command(ctx, cmd)
	}
	select {
	case <-ch.gone:
		// No instance runs any more, whatever became of the last one.
		r.Code, r.Message = capsule.OK, ""
	case <-ctx.Done():
		err := context.Cause(ctx)
		r.Code, r.Message = capsule.Deadline, fmt.Sprintf("%v: it is being killed", err)
	}
	return r
}
