package wire

import (
	"fmt"
	"time"

	"inos/internal/capsule"
	"inos/internal/governance"
	systemv1 "inos/schema/system/v1"
)

// EncodeCommand writes a LifecycleCmd, with its params as an embedded message.
func EncodeCommand(c capsule.Command) ([]byte, error) {
	params, err := encodeParams(c)
	if err != nil {
		return nil, err
	}
	return flatCommand(c, params), nil
}

func encodeParams(c capsule.Command) ([]byte, error) {
	switch {
	case c.Type == capsule.Spawn && c.Spawn != nil:
		return build(systemv1.NewRootSpawnParams, func(s systemv1.SpawnParams, p *put) {
			p.do(s.SetCid(c.Spawn.CID))
			p.do(s.SetWasm(c.Spawn.Wasm))
			s.SetMemoryLimit(c.Spawn.MemoryLimit)
			p.texts(s.NewCapabilities, c.Spawn.Capabilities)
			p.texts(s.NewArgs, c.Spawn.Args)
			p.do(s.SetCreditLedgerId(c.Spawn.CreditLedgerID))
			s.SetRestart(systemv1.RestartPolicy(c.Spawn.Restart))
			p.do(s.SetGroup(c.Spawn.Group))
			s.SetStrategy(systemv1.GroupStrategy(c.Spawn.Strategy))
		})
	case c.Type == capsule.Kill && c.Kill != nil:
		return build(systemv1.NewRootKillParams, func(s systemv1.KillParams, p *put) {
			p.do(s.SetReason(c.Kill.Reason))
			s.SetGraceNs(c.Kill.Grace.Nanoseconds())
		})
	case c.Type == capsule.Snapshot && c.Snapshot != nil:
		return build(systemv1.NewRootSnapshotParams, func(s systemv1.SnapshotParams, p *put) {
			s.SetCompress(c.Snapshot.Compress)
		})
	case c.Type == capsule.ResizeMem && c.Resize != nil:
		return build(systemv1.NewRootResizeMemParams, func(s systemv1.ResizeMemParams, p *put) {
			s.SetBytes(c.Resize.Bytes)
		})
	}
	return nil, nil
}

// WithCommand returns env with c as its payload.
func WithCommand(env governance.Envelope, c capsule.Command) (governance.Envelope, error) {
	data, err := EncodeCommand(c)
	if err != nil {
		return governance.Envelope{}, err
	}
	env.Payload = governance.Payload{TypeID: systemv1.LifecycleCmd_TypeID, Data: data}
	return env, nil
}

// CommandOf returns the command in env's payload. Errors match ErrMalformed.
func CommandOf(env governance.Envelope) (capsule.Command, error) {
	if env.Payload.TypeID != systemv1.LifecycleCmd_TypeID {
		return capsule.Command{}, fmt.Errorf("%w: payload type %#x is not a LifecycleCmd", ErrMalformed, env.Payload.TypeID)
	}
	return DecodeCommand(env.Payload.Data)
}

// DecodeCommand reads a LifecycleCmd and the params of its type. Errors match ErrMalformed, also
// for an unknown command type.
func DecodeCommand(data []byte) (capsule.Command, error) {
	var c capsule.Command
	var params []byte
	err := parse(data, systemv1.ReadRootLifecycleCmd, func(s systemv1.LifecycleCmd, g *get) {
		c = capsule.Command{
			ID:        g.text(s.Id()),
			Type:      capsule.CommandType(s.Type()),
			Target:    g.text(s.TargetCapsuleId()),
			Timestamp: instant(s.Timestamp()),
			Deadline:  instant(s.Deadline()),
			Timeout:   time.Duration(s.TimeoutNs()),
		}
		params = g.data(s.Params())
	})
	if err == nil {
		err = decodeParams(&c, params)
	}
	if err != nil {
		return capsule.Command{}, err
	}
	return c, nil
}

func decodeParams(c *capsule.Command, params []byte) error {
	if c.Type > capsule.ResizeMem {
		return fmt.Errorf("%w: unknown command type %d", ErrMalformed, c.Type)
	}
	if len(params) == 0 {
		return nil
	}
	switch c.Type {
	case capsule.Spawn:
		return parse(params, systemv1.ReadRootSpawnParams, func(s systemv1.SpawnParams, g *get) {
			c.Spawn = &capsule.SpawnParams{
				CID:            g.text(s.Cid()),
				Wasm:           g.data(s.Wasm()),
				MemoryLimit:    s.MemoryLimit(),
				Capabilities:   g.texts(s.Capabilities()),
				Args:           g.texts(s.Args()),
				CreditLedgerID: g.text(s.CreditLedgerId()),
				Restart:        capsule.RestartPolicy(s.Restart()),
				Group:          g.text(s.Group()),
				Strategy:       capsule.GroupStrategy(s.Strategy()),
			}
		})
	case capsule.Kill:
		return parse(params, systemv1.ReadRootKillParams, func(s systemv1.KillParams, g *get) {
			c.Kill = &capsule.KillParams{Reason: g.text(s.Reason()), Grace: time.Duration(s.GraceNs())}
		})
	case capsule.Snapshot:
		return parse(params, systemv1.ReadRootSnapshotParams, func(s systemv1.SnapshotParams, g *get) {
			c.Snapshot = &capsule.SnapshotParams{Compress: s.Compress()}
		})
	case capsule.ResizeMem:
		return parse(params, systemv1.ReadRootResizeMemParams, func(s systemv1.ResizeMemParams, g *get) {
			c.Resize = &capsule.ResizeParams{Bytes: s.Bytes()}
		})
	}
	return nil
}

// EncodeReply writes a LifecycleReply.
func EncodeReply(r capsule.Reply) ([]byte, error) {
	return build(systemv1.NewRootLifecycleReply, func(s systemv1.LifecycleReply, p *put) {
		p.do(s.SetId(r.ID))
		s.SetCode(systemv1.ReplyCode(r.Code))
		p.do(s.SetMessage_(r.Message))
		p.do(s.SetCapsuleId(r.CapsuleID))
		s.SetMemoryBytes(r.MemoryBytes)
		s.SetMemoryEpoch(r.MemoryEpoch)
		p.do(s.SetSnapshotCid(r.SnapshotCID))
		s.SetTimestamp(nanos(r.Timestamp))
		p.do(s.SetReason(r.Reason))
	})
}

// DecodeReply reads a LifecycleReply. Errors match ErrMalformed.
func DecodeReply(data []byte) (capsule.Reply, error) {
	if r, ok := flatReply(data); ok {
		return r, nil
	}
	return decodeReply(data)
}

func decodeReply(data []byte) (capsule.Reply, error) {
	var r capsule.Reply
	err := parse(data, systemv1.ReadRootLifecycleReply, func(s systemv1.LifecycleReply, g *get) {
		r = capsule.Reply{
			ID:          g.text(s.Id()),
			Code:        capsule.ReplyCode(s.Code()),
			Message:     g.text(s.Message_()),
			CapsuleID:   g.text(s.CapsuleId()),
			MemoryBytes: s.MemoryBytes(),
			MemoryEpoch: s.MemoryEpoch(),
			SnapshotCID: g.text(s.SnapshotCid()),
			Timestamp:   instant(s.Timestamp()),
			Reason:      g.text(s.Reason()),
		}
	})
	if err != nil {
		return capsule.Reply{}, err
	}
	return r, nil
}

// EncodeHeartbeat writes a HealthHeartbeat.
func EncodeHeartbeat(h capsule.Heartbeat) ([]byte, error) {
	return build(systemv1.NewRootHealthHeartbeat, func(s systemv1.HealthHeartbeat, p *put) {
		p.do(s.SetCapsuleId(h.CapsuleID))
		s.SetStatus(systemv1.Status(h.Status))
		s.SetMemoryUsage(h.MemoryUsage)
		s.SetCpuTimeNs(h.CPUTime.Nanoseconds())
		s.SetIsCongested(h.Congested)
		s.SetNeedsMoreMem(h.NeedsMoreMem)
		s.SetSequence(h.Sequence)
		s.SetMemoryEpoch(h.MemoryEpoch)
		s.SetPaused(h.Paused)
		s.SetJobsDone(h.JobsDone)
		s.SetWantedBytes(h.WantedBytes)
	})
}

// DecodeHeartbeat reads a HealthHeartbeat. Errors match ErrMalformed.
func DecodeHeartbeat(data []byte) (capsule.Heartbeat, error) {
	var h capsule.Heartbeat
	err := parse(data, systemv1.ReadRootHealthHeartbeat, func(s systemv1.HealthHeartbeat, g *get) {
		h = capsule.Heartbeat{
			CapsuleID:    g.text(s.CapsuleId()),
			Status:       capsule.Status(s.Status()),
			MemoryUsage:  s.MemoryUsage(),
			CPUTime:      time.Duration(s.CpuTimeNs()),
			Congested:    s.IsCongested(),
			NeedsMoreMem: s.NeedsMoreMem(),
			Sequence:     s.Sequence(),
			MemoryEpoch:  s.MemoryEpoch(),
			Paused:       s.Paused(),
			JobsDone:     s.JobsDone(),
			WantedBytes:  s.WantedBytes(),
		}
	})
	if err != nil {
		return capsule.Heartbeat{}, err
	}
	return h, nil
}
