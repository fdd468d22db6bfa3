package kernel

import (
	"context"
	"fmt"
	"time"

	"inos/internal/capsule"
	"inos/internal/identity"
	"inos/internal/kernel/lifecycle"
	"inos/internal/supervisor"
)

// Limits of one run; zero means the capsule's own.
type Limits struct {
	MemoryBytes uint64
	Time        time.Duration
}

// Supervised makes a supervisor the kernel's Capsules. Give the supervisor's
// events to Kernel.CapsuleEvent.
func Supervised(s *supervisor.Supervisor) Capsules { return supervised{s} }

type supervised struct{ *supervisor.Supervisor }

// Command implements Capsules. It returns no error, since a supervisor answers every command.
func (s supervised) Command(ctx context.Context, cmd capsule.Command) (capsule.Reply, error) {
	return s.Supervisor.Command(ctx, cmd), nil
}

// Run implements Capsules.
func (s supervised) Run(ctx context.Context, cid capsule.CID, l Limits, task capsule.Task, onProgress func(done, total uint64)) ([]byte, error) {
	return s.Supervisor.Run(ctx, cid, supervisor.Limits(l), task, onProgress)
}

// List implements Capsules.
func (s supervised) List() []lifecycle.CapsuleInfo {
	have := s.Supervisor.List()
	out := make([]lifecycle.CapsuleInfo, len(have))
	for i, c := range have {
		out[i] = lifecycle.CapsuleInfo{
			ID: c.ID, CID: c.CID.String(), Name: c.Name, State: c.State.String(), Heartbeat: c.Heartbeat,
			Restarts: c.Restarts, MemoryBytes: c.MemoryBytes, MemoryLimit: c.MemoryLimit, Epoch: c.Epoch,
			Jobs: c.Jobs, Unheard: c.Unheard, StartedAt: c.StartedAt, LastError: c.LastError,
		}
	}
	return out
}

// Listen implements what lifecycle.Service.Listen needs.
func (s supervised) Listen(capsuleID string) (lifecycle.Listening, error) {
	l, err := s.Supervisor.Listen(capsuleID)
	if err != nil {
		return nil, err
	}
	return l, nil
}

// capsules is what a Kernel has of lifecycle.Service: its methods.
type capsules = lifecycle.Service

// serveCapsules makes the lifecycle.Service of this node.
func (k *Kernel) serveCapsules() {
	c := lifecycle.Config{
		Self: k.cfg.Self, Capabilities: k.cfg.Capabilities, CreditCost: k.cfg.CreditCost, Gate: k.cfg.Gate, Capsules: k.cfg.Capsules,
		Blobs: k.cfg.Blobs, Snapshots: k.cfg.Snapshots, Upkeep: k.cfg.Upkeep, Memory: k.cfg.Memory,
		Node: k, AuthorizeTransfer: k.authorizeTransfer, JobCode: codeOf, Valves: k.adjuster, Events: capsuleEvents{k}, Now: k.cfg.Now, Life: k.life,
	}
	k.modules, k.metering = lifecycle.NewModules(c), lifecycle.NewMetering(c)
	k.capsules = lifecycle.New(c, k.modules, k.metering)
}

// authorizeTransfer asks the gate whether this node's data may go to node.
func (k *Kernel) authorizeTransfer(ctx context.Context, node identity.PeerID) error {
	place := ""
	if err := k.loop.ask(ctx, func(s *state) {
		p, _ := s.nodes.Profile(node)
		place = p.GeoHash
	}); err != nil {
		return err
	}
	if err := k.cfg.Gate.Resident(place); err != nil {
		return fmt.Errorf("%w: %w", lifecycle.ErrDenied, err)
	}
	return nil
}

// capsuleEvents turns the reports of lifecycle into events of the kernel.
type capsuleEvents struct{ k *Kernel }

// Commanded implements lifecycle.Events.
func (e capsuleEvents) Commanded(from, node identity.PeerID, cmd capsule.Command, r capsule.Reply, err error) {
	if cmd.Spawn != nil {
		spawn := *cmd.Spawn
		spawn.Wasm = nil
		cmd.Spawn = &spawn
	}
	e.k.emit(Commanded{at(), from, node, cmd, r, err})
}

// Fed implements lifecycle.Events.
func (e capsuleEvents) Fed(from, node identity.PeerID, capsuleID string, taken int64, err error) {
	e.k.emit(Fed{at(), from, node, capsuleID, taken, err})
}

// Charged implements lifecycle.Events.
func (e capsuleEvents) Charged(capsuleID string, ledger identity.LedgerID, action, reason string, err error) {
	e.k.emit(CapsuleCredit{at(), capsuleID, ledger, action, reason, err})
}

// CapsuleEvent takes in an event of the supervisor. Heartbeats and ends go to the watcher; all but
// heartbeats become events of the kernel. It never blocks and does not call the supervisor, as
// supervisor.Config.Emit demands.
func (k *Kernel) CapsuleEvent(e supervisor.Event) {
	k.metering.Observe(e)
	switch e := e.(type) {
	case supervisor.HeartbeatReceived:
		e.Heartbeat.CapsuleID = e.ID // not the id that the capsule claims
		_ = k.Heartbeat(e.Heartbeat) // the watcher counts what it refuses
		return
	case supervisor.CapsuleEnded:
		_ = k.CapsuleEnded(e.ID, endOf(e))
	}
	k.emit(CapsuleNews{at(), e})
}

// endOf is the error by which a capsule's streams and waiting calls end.
func endOf(e supervisor.CapsuleEnded) error {
	if e.Err == nil {
		return fmt.Errorf("%w: %s", capsule.ErrStopped, e.Reason)
	}
	return e.Err
}

// CapsuleNews is an event of this node's supervisor.
type CapsuleNews struct {
	At
	Event supervisor.Event
}

// Name implements Event.
func (c CapsuleNews) Name() string {
	switch c.Event.(type) {
	case supervisor.CapsuleStarted:
		return "capsule:started"
	case supervisor.CapsuleStateChanged:
		return "capsule:state"
	case supervisor.CongestionChanged:
		return "capsule:congestion"
	case supervisor.CapsuleLogged:
		return "capsule:log"
	case supervisor.MemoryResized, supervisor.MemoryRefused:
		return "capsule:memory"
	case supervisor.PauseOverdue:
		return "capsule:overdue"
	case supervisor.CapsuleEnded:
		return "capsule:ended"
	}
	return "capsule:event"
}
