package lifecycle

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
func (s *Service) Command(ctx context.Context, node identity.PeerID, cmd capsule.Command) (capsule.Reply, error) {
	here := node == "" || node == s.cfg.Self
	if here {
		if err := s.checkCapabilities(cmd); err != nil {
			r := s.refusal(cmd, err)
			s.cfg.Events.Commanded("", s.cfg.Self, cmd, r, nil)
			return r, nil
		}
	}
	release, err := s.modules.gather(ctx, "", "", cmd)
	defer release()
	if err != nil {
		return capsule.Reply{}, err
	}
	if here {
		r, err := s.commandHere(ctx, "", "", cmd)
		s.cfg.Events.Commanded("", s.cfg.Self, cmd, r, err)
		return r, err
	}
	m, err := s.cfg.Node.Mesh()
	if err != nil {
		return capsule.Reply{}, err
	}
	var dna governance.Metadata
	if cmd.Spawn != nil {
		if err := s.cfg.AuthorizeTransfer(ctx, node); err != nil {
			return capsule.Reply{}, err
		}
		if err := s.modules.checkSize(ctx, cmd.Spawn); err != nil {
			return capsule.Reply{}, err
		}
		dna.CreditLedgerID = cmd.Spawn.CreditLedgerID
		if cmd, err = s.modules.byCID(ctx, cmd); err != nil {
			return capsule.Reply{}, err
		}
	}
	r, err := m.Command(ctx, node, mesh.CommandCall{Envelope: s.cfg.Node.Message(ctx, mesh.CommandType, dna), Command: cmd})
	s.modules.locate(node, cmd, r)
	s.cfg.Events.Commanded("", node, cmd, r, err)
	return r, err
}

// HandleCommand answers a lifecycle command of another node, if the gate passes its
// DNA and from may give it. It implements mesh.Handler.
func (s *Service) HandleCommand(ctx context.Context, from identity.PeerID, call mesh.CommandCall) capsule.Reply {
	cmd := call.Command
	err := s.cfg.Node.Pass(call.Envelope, mesh.CommandType)
	if err == nil {
		err = s.authorizeCommand(from, cmd)
	}
	if err == nil {
		err = s.checkCapabilities(cmd)
	}
	if err == nil && cmd.Type == capsule.Spawn && s.cfg.Node.Draining() {
		err = ErrDraining
	}
	if err != nil {
		r := s.refusal(cmd, err)
		s.cfg.Events.Commanded(from, s.cfg.Self, cmd, r, nil)
		return r
	}
	cmd = scopeGroup(from, cmd)
	release, err := s.modules.gather(ctx, from, call.Origin, cmd)
	defer release()
	var r capsule.Reply
	if err == nil {
		r, err = s.commandHere(ctx, from, call.Origin, cmd)
	}
	if err != nil && r.Code == capsule.OK {
		r = s.refusal(cmd, err)
	}
	if cmd.Type == capsule.Spawn && r.Code == capsule.OK {
		s.spawned(r.CapsuleID, from)
	}
	s.cfg.Events.Commanded(from, s.cfg.Self, cmd, r, err)
	return r
}

var (
	// ErrDenied: the gate does not let the caller give this command here. Final.
	ErrDenied = fault.Final("denied", "kernel: command denied").Broad()
	// ErrDraining: the node is about to leave and takes no new work. Advice: try again; another node is chosen.
	ErrDraining = fault.Retryable("draining", "kernel: this node is leaving")
	// ErrNoCapability: a capsule is to use what this node does not have. Advice: spawn it on a node that has it, or start the node with it.
	ErrNoCapability = fault.Final("capability_missing", "kernel: capability missing")
)

// refusal is the answer to a command that err kept from being carried out.
func (s *Service) refusal(cmd capsule.Command, err error) capsule.Reply {
	r := capsule.Reply{ID: cmd.ID, Code: s.replyCode(err), Message: err.Error(), Timestamp: time.Now()}
	if e := fault.Among(err, func(e *fault.Error) bool { return mesh.Tells(e) || e == ErrNoCapability || e == ErrDraining }); e != nil {
		r.Reason = e.Code()
	}
	return r
}

// checkCapabilities checks the capabilities that a Spawn asks for: the policy must allow them and
// this node must have them. Errors match ErrDenied or ErrNoCapability.
func (s *Service) checkCapabilities(cmd capsule.Command) error {
	if cmd.Type != capsule.Spawn || cmd.Spawn == nil {
		return nil
	}
	if err := s.cfg.Gate.Capabilities(cmd.Spawn.Capabilities); err != nil {
		return fmt.Errorf("%w: %w", ErrDenied, err)
	}
	for _, c := range cmd.Spawn.Capabilities {
		if !slices.Contains(s.cfg.Capabilities, c) {
			return fmt.Errorf("%w: %.80q", ErrNoCapability, c)
		}
	}
	return nil
}

// scopeGroup has another node's group named after that node: a crash of a capsule restarts
// the others of its group, and those are to be the same node's.
func scopeGroup(from identity.PeerID, cmd capsule.Command) capsule.Command {
	if cmd.Spawn != nil && cmd.Spawn.Group != "" {
		spawn := *cmd.Spawn
		spawn.Group = string(from) + "/" + spawn.Group
		cmd.Spawn = &spawn
	}
	return cmd
}

// authorizeCommand asks the gate. The target's owner is the node that spawned it, zero
// for this one and for Spawn.
func (s *Service) authorizeCommand(from identity.PeerID, cmd capsule.Command) error {
	var owner identity.PeerID
	if cmd.Type != capsule.Spawn {
		owner = s.spawner(cmd.Target)
	}
	if err := s.cfg.Gate.Command(from, owner, cmd.Type); err != nil {
		return fmt.Errorf("%w: %w", ErrDenied, err)
	}
	return nil
}

// maxSpawners bounds the remembered spawners; a capsule past it takes commands
// from this node's console only.
const maxSpawners = 4096

// spawned remembers who spawned a capsule for as long as it is listed. So its spawner is told
// that it has ended, and not that it is another node's.
func (s *Service) spawned(id string, by identity.PeerID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	listed := make(map[string]bool)
	for _, c := range s.cfg.Capsules.List() {
		listed[c.ID] = true
	}
	maps.DeleteFunc(s.spawners, func(id string, _ identity.PeerID) bool { return !listed[id] })
	if len(s.spawners) < maxSpawners {
		s.spawners[id] = by
	}
}

// spawner is the node that spawned a capsule, zero for this one.
func (s *Service) spawner(id string) identity.PeerID {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.spawners[id]
}

// replyCode is the reply's code for a command that err kept from being carried out.
func (s *Service) replyCode(err error) capsule.ReplyCode {
	if errors.Is(err, ErrDenied) {
		return capsule.Denied
	}
	switch s.cfg.JobCode(err) {
	case mesh.JobDeadline, mesh.JobCancelled:
		return capsule.Deadline
	case mesh.JobCrashed:
		return capsule.Crashed
	case mesh.JobBadCapsule, mesh.JobUnknownCapsule:
		return capsule.BadParams
	}
	return capsule.Refused
}
