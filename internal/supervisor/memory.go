package supervisor

import (
	"context"
	"time"

	"inos/internal/capsule"
)

// meetMemoryRequest gives a capsule the memory it asks for within its limit. It refuses memory beyond the limit
// by an event, once for each length; the capsule learns of it when it allocates. One resize at a
// time is under way. The caller holds mu.
func (s *Supervisor) meetMemoryRequest(ch *child, h capsule.Heartbeat, now time.Time) {
	have := ch.cap.MemoryBytes()
	if !h.NeedsMoreMem || h.WantedBytes <= have {
		ch.refused = 0
		return
	}
	if s.cfg.FixedMemory || ch.stopping || ch.growing || h.WantedBytes == ch.refused {
		return
	}
	if limit := ch.cap.MemoryLimit(); h.WantedBytes > limit {
		ch.refused = h.WantedBytes
		s.cfg.Emit(MemoryRefused{ID: ch.id, Wanted: h.WantedBytes, Reason: "its memory limit", Limit: limit, At: now})
		return
	}
	ch.growing = true
	c, ctx, want := ch.cap, ch.ctx, h.WantedBytes
	s.runners.Go(func() { s.grow(ctx, ch, c, have, want) }) // the runner of ch keeps the WaitGroup above zero
}

// grow carries out one resize that a capsule asked for.
func (s *Supervisor) grow(ctx context.Context, ch *child, c *capsule.Capsule, have, want uint64) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.CommandTimeout)
	defer cancel()
	r, _ := c.Command(ctx, capsule.Command{Type: capsule.ResizeMem, Resize: &capsule.ResizeParams{Bytes: want}})
	s.mu.Lock()
	defer s.mu.Unlock()
	ch.growing = false
	if ch.cap != c {
		return
	}
	ch.epoch = c.Epoch()
	if r.Code == capsule.OK {
		s.cfg.Emit(MemoryResized{ID: ch.id, From: have, To: c.MemoryBytes(), Epoch: ch.epoch, At: time.Now()})
		return
	}
	ch.refused = want
	s.cfg.Emit(MemoryRefused{ID: ch.id, Wanted: want, Reason: r.Message, Limit: c.MemoryLimit(), At: time.Now()})
}
