package supervisor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"inos/internal/capsule"
)

// runChild is the runner of ch: it starts instances until none is to follow.
func (s *Supervisor) runChild(ch *child) {
	defer close(ch.gone)
	defer ch.cancel()
	for {
		err := s.lifetime(ch)
		wait, again := s.judge(ch, err, time.Now())
		if !again {
			return
		}
		if !pause(ch.ctx, wait) || !s.awaitTurn(ch) {
			s.mu.Lock()
			s.finish(ch, ch.lastErr, time.Now())
			s.mu.Unlock()
			return
		}
	}
}

// pause waits for d. It returns false when ctx ends first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// lifetime runs one instance from start to end. It returns how the instance ended: nil when
// inos_run returned by itself.
func (s *Supervisor) lifetime(ch *child) error {
	s.mu.Lock()
	attempt, cancel := context.WithCancel(ch.ctx)
	defer cancel()
	ch.giveUp, ch.redo, ch.killErr = cancel, false, nil
	ch.instance++
	n := ch.instance
	s.mu.Unlock()

	c, err := s.open(attempt, ch, n)
	if err != nil {
		return err
	}
	if !s.adopt(ch, c, time.Now()) {
		c.Kill(errors.New("not wanted any more"))
		<-c.Done()
		return c.Err()
	}
	tick := time.NewTicker(s.cfg.Heartbeat)
	defer tick.Stop()
	for {
		select {
		case <-c.Done():
			return c.Err()
		case <-tick.C:
			s.tick(ch, c, time.Now())
		}
	}
}

// open fetches, compiles and starts ch's capsule.
func (s *Supervisor) open(ctx context.Context, ch *child, instance int) (*capsule.Capsule, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, s.cfg.StartTimeout, capsule.ErrNotReady)
	defer cancel()
	c, err := s.openIn(ctx, ch, instance)
	if err != nil && ctx.Err() != nil && !errors.Is(err, context.Cause(ctx)) {
		err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	return c, err
}

func (s *Supervisor) openIn(ctx context.Context, ch *child, instance int) (*capsule.Capsule, error) {
	mod, err := s.module(ctx, ch)
	if err != nil {
		return nil, err
	}
	capsule.Begin(ctx)
	s.mu.Lock()
	cfg := capsule.Config{
		ID: ch.id, Codec: s.cfg.Codec, Args: ch.args, MemoryLimit: ch.memoryLimit, Heartbeat: s.cfg.Heartbeat,
		// Each start has a fresh memory, and an epoch that no older instance has used.
		Epoch: ch.epoch + 1, ReadyTimeout: s.cfg.StartTimeout, CommandTimeout: s.cfg.CommandTimeout,
		OnHeartbeat: func(h capsule.Heartbeat) { s.heard(ch, instance, h, time.Now()) },
		OnLog:       func(l capsule.Log) { s.logged(ch, l, time.Now()) },
		OnData:      ch.outlet.put,
		Full:        ch.outlet.full.Load,
	}
	ch.epoch = cfg.Epoch
	s.mu.Unlock()
	if ch.image != nil {
		return capsule.Restore(ctx, mod, ch.image, cfg)
	}
	return capsule.Open(ctx, mod, cfg)
}

// module returns ch's compiled module. The first time, it finds or fetches the bytes, checks them
// against the CID and compiles them.
func (s *Supervisor) module(ctx context.Context, ch *child) (capsule.Module, error) {
	s.mu.Lock()
	mod, wasm := ch.module, ch.wasm
	s.mu.Unlock()
	if mod != nil {
		return mod, nil
	}
	var m capsule.Manifest
	if wasm == nil {
		var err error
		if wasm, m, err = s.cfg.Blobs.Get(ctx, ch.cid); err != nil {
			return nil, err
		}
	}
	mod, err := s.compiled(ctx, ch.cid, wasm)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ch.module, ch.wasm = mod, nil
	ch.name, ch.timeLimit = m.Name, m.TimeLimit
	ch.ceiling = least(m.MemoryLimit, uint64(mod.Info().MaxPages)*capsule.PageSize)
	ch.memoryLimit = least(ch.memoryLimit, ch.ceiling)
	return mod, nil
}

// compiled returns the compiled module of cid. The caller says that wasm is its bytes.
func (s *Supervisor) compiled(ctx context.Context, cid capsule.CID, wasm []byte) (capsule.Module, error) {
	if mod, kept := s.cfg.Runtime.Compiled(cid); kept {
		return mod, nil
	}
	if got := capsule.SumCID(wasm); got != cid {
		return nil, fmt.Errorf("%w: want %s, got %s", ErrWrongBytes, cid, got)
	}
	return s.cfg.Runtime.Compile(ctx, wasm)
}

// least returns the smaller of two limits; 0 is no limit.
func least[T uint64 | time.Duration](a, b T) T {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// adopt makes c the current instance and returns false when ch is no longer wanted.
func (s *Supervisor) adopt(ch *child, c *capsule.Capsule, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ch.stopping || ch.redo {
		return false
	}
	if ch.everUp {
		ch.restarts++
	}
	first := !ch.everUp
	ch.cap, ch.everUp, ch.startedAt = c, true, now
	ch.memoryLimit, ch.epoch = c.MemoryLimit(), c.Epoch()
	ch.growing, ch.refused = false, 0
	ch.pulse.start(now)
	close(ch.up)
	s.cfg.Emit(CapsuleStarted{ID: ch.id, CID: ch.cid, Name: ch.name, Epoch: ch.epoch, Restarts: ch.restarts, At: now})
	_ = s.apply(ch, becameReady, "its first heartbeat came", now)
	_ = s.apply(ch, healthChange(c.LastHeartbeat()), "it says so", now)
	if first {
		close(ch.started)
	}
	return true
}

// apply changes ch's state and emits the event. The caller holds mu.
func (s *Supervisor) apply(ch *child, c change, reason string, now time.Time) error {
	to, err := next(ch.state, c)
	if err != nil {
		return err
	}
	from := ch.state
	if from == to {
		return nil
	}
	ch.state = to
	s.cfg.Emit(CapsuleStateChanged{ID: ch.id, From: from, To: to, Reason: reason, At: now})
	return nil
}
