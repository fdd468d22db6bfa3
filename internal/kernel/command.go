package kernel

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"inos/internal/capsule"
	"inos/internal/fault"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/mesh"
)

// Command sends a lifecycle command to a capsule on node, which may be this one
// (or zero, for this one), and returns the answer. A Spawn by CID needs the module,
// or the snapshot and its module, on either of the two nodes, or the snapshot where
// an earlier Command had it made. Errors are the supervisor's or
// the mesh's: a caller cannot tell them apart, except by the time it takes.
func (k *Kernel) Command(ctx context.Context, node identity.PeerID, cmd capsule.Command) (capsule.Reply, error) {
	here := node == "" || node == k.cfg.Self
	if here {
		if err := k.mayUse(cmd); err != nil {
			r := refusal(cmd, err)
			k.commanded("", k.cfg.Self, cmd, r, nil)
			return r, nil
		}
	}
	over, err := k.gather(ctx, "", "", cmd)
	defer over()
	if err != nil {
		return capsule.Reply{}, err
	}
	if here {
		r, err := k.commandHere(ctx, "", "", cmd)
		k.commanded("", k.cfg.Self, cmd, r, err)
		return r, err
	}
	m, err := k.theMesh()
	if err != nil {
		return capsule.Reply{}, err
	}
	var dna governance.Metadata
	if cmd.Spawn != nil {
		if err := k.mayLeave(ctx, node); err != nil {
			return capsule.Reply{}, err
		}
		if err := k.mayTravel(ctx, cmd.Spawn); err != nil {
			return capsule.Reply{}, err
		}
		dna.CreditLedgerID = cmd.Spawn.CreditLedgerID
		if cmd, err = k.named(ctx, cmd); err != nil {
			return capsule.Reply{}, err
		}
	}
	r, err := m.Command(ctx, node, mesh.CommandCall{Envelope: k.message(ctx, mesh.CommandType, dna), Command: cmd})
	k.snapshotMade(node, cmd, r)
	k.commanded("", node, cmd, r, err)
	return r, err
}

// HandleCommand answers a lifecycle command of another node, if the gate passes its
// DNA and from may give it. It implements mesh.Handler.
func (k *Kernel) HandleCommand(ctx context.Context, from identity.PeerID, call mesh.CommandCall) capsule.Reply {
	cmd := call.Command
	err := k.pass(call.Envelope, mesh.CommandType)
	if err == nil {
		err = k.mayCommand(ctx, from, cmd)
	}
	if err == nil {
		err = k.mayUse(cmd)
	}
	if err == nil && cmd.Type == capsule.Spawn && k.leaving.draining.Load() {
		err = ErrDraining
	}
	if err != nil {
		r := refusal(cmd, err)
		k.commanded(from, k.cfg.Self, cmd, r, nil)
		return r
	}
	cmd = ofItsOwn(from, cmd)
	over, err := k.gather(ctx, from, call.Origin, cmd)
	defer over()
	var r capsule.Reply
	if err == nil {
		r, err = k.commandHere(ctx, from, call.Origin, cmd)
	}
	if err != nil && r.Code == capsule.OK {
		r = refusal(cmd, err)
	}
	if cmd.Type == capsule.Spawn && r.Code == capsule.OK {
		_ = k.loop.tell(ctx, func(s *state) { s.spawned(r.CapsuleID, from) })
	}
	k.commanded(from, k.cfg.Self, cmd, r, err)
	return r
}

func (k *Kernel) commanded(from, node identity.PeerID, cmd capsule.Command, r capsule.Reply, err error) {
	if cmd.Spawn != nil {
		spawn := *cmd.Spawn
		spawn.Wasm = nil
		cmd.Spawn = &spawn
	}
	k.emit(Commanded{at(), from, node, cmd, r, err})
}

var (
	// ErrDenied: the gate does not let the caller give this command here. Final.
	ErrDenied = fault.Final("denied", "kernel: command denied").Broad()
	// ErrNoCapability: a capsule is to use what this node does not have. Advice: spawn it on a node that has it, or start the node with it.
	ErrNoCapability = fault.Final("capability_missing", "kernel: capability missing")
)

// refusal is the answer to a command that err kept from being carried out.
func refusal(cmd capsule.Command, err error) capsule.Reply {
	r := capsule.Reply{ID: cmd.ID, Code: replyCodeOf(err), Message: err.Error(), Timestamp: time.Now()}
	if e := fault.Among(err, func(e *fault.Error) bool { return travels(e) || e == ErrNoCapability || e == ErrDraining }); e != nil {
		r.Reason = e.Code()
	}
	return r
}

// mayUse checks the capabilities that a Spawn asks for: the policy must allow them and
// this node must have them. Errors match ErrDenied or ErrNoCapability.
func (k *Kernel) mayUse(cmd capsule.Command) error {
	if cmd.Type != capsule.Spawn || cmd.Spawn == nil {
		return nil
	}
	if err := k.cfg.Gate.Capabilities(cmd.Spawn.Capabilities); err != nil {
		return fmt.Errorf("%w: %w", ErrDenied, err)
	}
	for _, c := range cmd.Spawn.Capabilities {
		if !slices.Contains(k.cfg.Capabilities, c) {
			return fmt.Errorf("%w: %.80q", ErrNoCapability, c)
		}
	}
	return nil
}

// ofItsOwn keeps the groups of other nodes apart from each other and from this one's:
// the crashes of a capsule restart the others of its group.
func ofItsOwn(from identity.PeerID, cmd capsule.Command) capsule.Command {
	if cmd.Spawn != nil && cmd.Spawn.Group != "" {
		spawn := *cmd.Spawn
		spawn.Group = string(from) + "/" + spawn.Group
		cmd.Spawn = &spawn
	}
	return cmd
}

// mayCommand asks the gate. The target's owner is the node that spawned it, zero
// for this one and for Spawn.
func (k *Kernel) mayCommand(ctx context.Context, from identity.PeerID, cmd capsule.Command) error {
	var owner identity.PeerID
	if cmd.Type != capsule.Spawn {
		if err := k.loop.ask(ctx, func(s *state) { owner = s.spawners[cmd.Target] }); err != nil {
			return err
		}
	}
	if err := k.cfg.Gate.Command(from, owner, cmd.Type); err != nil {
		return fmt.Errorf("%w: %w", ErrDenied, err)
	}
	return nil
}

// spawnersAtMost bounds the remembered spawners; a capsule past it takes commands
// from this node's console only.
const spawnersAtMost = 4096

// spawned remembers who spawned a capsule, for as long as it is listed: its spawner is
// told of its end, and not that it is somebody else's.
func (s *state) spawned(id string, by identity.PeerID) {
	listed := make(map[string]bool)
	for _, c := range s.k.cfg.Capsules.List() {
		listed[c.ID] = true
	}
	maps.DeleteFunc(s.spawners, func(id string, _ identity.PeerID) bool { return !listed[id] })
	if len(s.spawners) < spawnersAtMost {
		s.spawners[id] = by
	}
}

// replyCodeOf says in a reply's terms why there is none.
func replyCodeOf(err error) capsule.ReplyCode {
	if errors.Is(err, ErrDenied) {
		return capsule.Denied
	}
	switch codeOf(err) {
	case mesh.JobDeadline, mesh.JobCancelled:
		return capsule.Deadline
	case mesh.JobCrashed:
		return capsule.Crashed
	case mesh.JobBadCapsule, mesh.JobUnknownCapsule:
		return capsule.BadParams
	}
	return capsule.Refused
}
