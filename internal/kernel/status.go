package kernel

import (
	"cmp"
	"context"
	"time"

	"inos/internal/identity"
	"inos/internal/kernel/placement"
	"inos/internal/order"
	"inos/internal/threads/adjuster"
)

// Status describes this node now.
func (k *Kernel) Status(ctx context.Context) (Status, error) {
	c := &k.cfg
	st := Status{
		Self: c.Self, Name: c.Name, Kind: c.Kind, Capabilities: c.Capabilities, Started: k.started,
		Slots: c.Slots, Waiting: k.matchmaker.Waiting(),
		Memory: c.Memory.Use(), Rejected: k.rejections.Load(), Dropped: k.hub.dropped.Load(),
	}
	if m, err := k.Mesh(); err == nil {
		peers := m.Peers()
		st.Joined, st.Addrs, st.Peers = true, m.Addrs(), len(peers)
		st.Clocks = compareClocks(peers, c.Now())
	}
	_, mining := k.watcher.Now()
	st.Mining = mining.Run
	st.Fidelity = adjuster.Fidelity(k.fidelity.Load()).String()
	err := k.loop.ask(ctx, func(s *state) {
		st.Nodes = s.nodes.Len()
		st.FreeSlots, st.Serving = s.nodes.Own()
		st.Unwritable, st.InLine = s.unwritable, len(s.arrivals.line)
		st.Running, st.Done, st.Failed = s.nodes.Placed(), s.done, s.failed
	})
	return st, err
}

// Nodes lists the known nodes, this one first, the others by id.
func (k *Kernel) Nodes(ctx context.Context) (nodes []placement.NodeInfo, err error) {
	err = k.loop.ask(ctx, func(s *state) {
		now := time.Now()
		own := s.nodes.OwnInfo(k.profile(s.offered(), s.nodes.Sequence()), now)
		nodes = append([]placement.NodeInfo{own}, s.nodes.Infos(now)...)
	})
	return nodes, err
}

// Jobs lists the jobs that are here, oldest first, then the last ones that
// ended, newest first.
func (k *Kernel) Jobs(ctx context.Context) (jobs []JobInfo, err error) {
	err = k.loop.ask(ctx, func(s *state) { jobs = s.jobs.list() })
	order.By(jobs, func(a, b JobInfo) int {
		if a.Ended.IsZero() && b.Ended.IsZero() {
			return a.Submitted.Compare(b.Submitted)
		}
		return cmp.Compare(ended(a), ended(b))
	})
	return jobs, err
}

func ended(j JobInfo) int {
	if j.Ended.IsZero() {
		return 0
	}
	return 1
}

// Self is this node's peer id.
func (k *Kernel) Self() identity.PeerID { return k.cfg.Self }

// Uptime is how long ago the kernel was made.
func (k *Kernel) Uptime() time.Duration { return time.Since(k.started) }
