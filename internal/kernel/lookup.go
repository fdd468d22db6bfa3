package kernel

import (
	"context"
	"slices"
	"time"

	"inos/internal/identity"
	"inos/internal/kernel/placement"
	"inos/internal/mesh"
)

// Found is a node that the directory has a record of.
type Found struct {
	placement.NodeInfo
	Heard bool // this node knew of it before, by gossip or from an earlier lookup
}

// Find asks the mesh's directory now for the nodes that provide capability, takes
// in what they say of themselves, measures those that are new and lists them by
// id; this node is not among them. What gossip alone has told is left out. Errors
// are ErrNoMesh, ErrStopped or the mesh's.
func (k *Kernel) Find(ctx context.Context, capability string) ([]Found, error) {
	m, err := k.theMesh()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, findTimeout)
	defer cancel()
	profiles, err := m.Find(ctx, capability)
	if err != nil {
		return nil, err
	}
	found := make(map[identity.PeerID]mesh.Profile, len(profiles))
	ids := make([]identity.PeerID, 0, len(profiles))
	for _, p := range profiles {
		if p.Peer != k.cfg.Self {
			found[p.Peer] = p
			ids = append(ids, p.Peer)
		}
	}
	slices.Sort(ids)
	heard := make(map[identity.PeerID]bool, len(ids))
	if err := k.loop.ask(ctx, func(s *state) {
		for _, id := range ids {
			_, heard[id] = s.nodes.Profile(id)
		}
	}); err != nil {
		return nil, err
	}
	k.takeIn(ctx, m, found)
	rows := make([]Found, 0, len(ids))
	err = k.loop.ask(ctx, func(s *state) {
		for _, id := range ids {
			// One whose figures are bad, or that has answered no ping, is not known.
			if info, known := s.nodes.Info(id, time.Now()); known {
				rows = append(rows, Found{info, heard[id]})
			}
		}
	})
	return rows, err
}

// Names are the names that the known ones of ids go by.
func (k *Kernel) Names(ctx context.Context, ids []identity.PeerID) (map[identity.PeerID]string, error) {
	names := make(map[identity.PeerID]string, len(ids))
	err := k.loop.ask(ctx, func(s *state) {
		for _, id := range ids {
			if id == k.cfg.Self {
				names[id] = k.cfg.Name
			} else if p, known := s.nodes.Profile(id); known {
				names[id] = p.Name
			}
		}
	})
	return names, err
}
