package kernel

import (
	"context"
	"slices"
	"sync"
	"time"

	"inos/internal/identity"
	"inos/internal/kernel/placement"
	"inos/internal/mesh"
)

const (
	findTimeout = 10 * time.Second
	// findAtMost bounds the remembered lookups.
	findAtMost = 1024
	// measureFound is how many found nodes are measured before the choice is made again. The best
	// of them are then probed for the job.
	measureFound   = 16
	measureTimeout = 2 * time.Second
)

// Found is a node that the directory has a record of.
type Found struct {
	placement.NodeInfo
	Heard bool // this node knew the node before, by gossip or from an earlier lookup
}

// Find asks the mesh's directory now for the nodes that provide capability, takes in their
// profiles, measures those that are new and lists them by id, without this node. Nodes that are
// known by gossip alone are left out. Errors are ErrNoMesh, ErrStopped or the mesh's.
func (k *Kernel) Find(ctx context.Context, capability string) ([]Found, error) {
	m, err := k.Mesh()
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
			// A node whose figures are bad, or that has answered no ping, is not known.
			if info, known := s.nodes.Info(id, time.Now()); known {
				rows = append(rows, Found{info, heard[id]})
			}
		}
	})
	return rows, err
}

// Names returns the names of those of ids that are known.
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

// finder shares one lookup of a capability among all who want it.
type finder struct {
	mu      sync.Mutex
	lookups map[string]*lookup
}

// lookup is one question to the directory. The fields below done are set before done is closed.
type lookup struct {
	done    chan struct{}
	ended   time.Time
	found   []mesh.Profile
	givenUp bool // the asker's context ended before there was an answer
}

// discover asks the directory for the nodes of each capability, takes in their profiles and
// measures the nodes that are new.
func (k *Kernel) discover(ctx context.Context, capabilities []string) {
	m, err := k.Mesh()
	if err != nil {
		return
	}
	found := make(map[identity.PeerID]mesh.Profile)
	for _, c := range capabilities {
		for _, p := range k.finder.find(ctx, m, c) {
			found[p.Peer] = p
		}
	}
	k.takeIn(ctx, m, found)
}

// takeIn takes in the profiles of a lookup and measures the nodes that are new.
func (k *Kernel) takeIn(ctx context.Context, m mesh.Mesh, found map[identity.PeerID]mesh.Profile) {
	delete(found, k.cfg.Self)
	if len(found) == 0 {
		return
	}
	var unmeasured []identity.PeerID
	if k.loop.ask(ctx, func(s *state) {
		now := time.Now()
		for _, p := range found {
			s.nodes.Hear(p, now)
			if rtt, known := s.nodes.RTT(p.Peer); known && rtt == 0 && len(unmeasured) < measureFound {
				unmeasured = append(unmeasured, p.Peer)
			}
		}
	}) != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, measureTimeout)
	defer cancel()
	k.measure(ctx, m, unmeasured, pingsAtOnce)
}

// find returns the nodes that provide capability, from a new lookup, from one under way or from one
// that has just ended.
func (f *finder) find(ctx context.Context, m mesh.Mesh, capability string) []mesh.Profile {
	for {
		l, mine := f.join(capability)
		switch {
		case l == nil:
			return nil
		case mine:
			one, cancel := context.WithTimeout(ctx, findTimeout)
			l.found, _ = m.Find(one, capability)
			cancel()
			l.ended, l.givenUp = time.Now(), ctx.Err() != nil
			close(l.done)
			return l.found
		}
		select {
		case <-l.done:
			if !l.givenUp {
				return l.found
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// join returns the lookup to wait for; mine says that it is new and the caller must make it. It
// returns nil when too many capabilities are being looked up.
func (f *finder) join(capability string) (l *lookup, mine bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if l := f.lookups[capability]; l != nil && !l.stale() {
		return l, false
	}
	if f.lookups == nil {
		f.lookups = make(map[string]*lookup)
	}
	for c, old := range f.lookups {
		if len(f.lookups) < findAtMost {
			break
		}
		if old.stale() {
			delete(f.lookups, c)
		}
	}
	if len(f.lookups) >= findAtMost {
		return nil, false
	}
	l = &lookup{done: make(chan struct{})}
	f.lookups[capability] = l
	return l, true
}

// stale reports whether l has ended and is too old to use.
func (l *lookup) stale() bool {
	select {
	case <-l.done:
		return l.givenUp || time.Since(l.ended) > placement.LookupInterval
	default:
		return false
	}
}
