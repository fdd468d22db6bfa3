package p2p

import (
	"context"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"inos/internal/mesh"
)

const (
	findersAtOnce = 8
	// providerTime is how long it may take to connect to a provider and hear its profile.
	// One that says nothing at all is given up by QUIC within 5 s.
	providerTime = connectTime
	// quietTime is how long a Find that has heard somebody waits for further names. A lookup ends
	// only when the last peer on its way has answered or timed out, and a dead one takes seconds;
	// useful answers come early.
	quietTime = 500 * time.Millisecond
	// patience is the same for those that are being dialled: a far node takes some six
	// round trips to be heard, a dead one 5 s and more.
	patience = 2 * time.Second
)

// finding is one Find under way.
type finding struct {
	m      *Mesh
	queue  []peer.AddrInfo // not dialled yet
	dials  int
	others int // heard over connections that are there
	heard  chan hearing
	found  []mesh.Profile
}

// hearing is how it went with one provider.
type hearing struct {
	profile mesh.Profile
	ok      bool
	dialled bool
}

// run hears the providers as they are named, until nobody is left, patience ends or ctx
// does.
func (f *finding) run(ctx context.Context, named <-chan peer.AddrInfo, capability string) []mesh.Profile {
	seen := map[peer.ID]bool{f.m.id: true}
	enough := time.NewTimer(lookupTime)
	defer enough.Stop()
	for named != nil || len(f.queue)+f.dials+f.others > 0 {
		select {
		case info, more := <-named:
			switch {
			case !more:
				named = nil
			case !seen[info.ID]:
				seen[info.ID] = true
				f.take(info)
			default:
				continue
			}
		case h := <-f.heard:
			if h.dialled {
				f.dials--
			} else {
				f.others--
			}
			f.next()
			if h.ok && has(h.profile, capability) {
				f.found = append(f.found, h.profile)
			} else if len(f.queue)+f.dials+f.others > 0 {
				continue // a failure is no news
			}
		case <-enough.C:
			return f.found
		case <-ctx.Done():
			return f.found
		case <-f.m.life.Done():
			return f.found
		}
		switch {
		case len(f.found) == 0 || len(f.queue) > 0: // the whole time
		case f.dials+f.others > 0:
			enough.Reset(patience)
		default:
			enough.Reset(quietTime)
		}
	}
	return f.found
}

// take hears info now if there is a connection to it, otherwise when its turn comes.
func (f *finding) take(info peer.AddrInfo) {
	if f.m.host.Network().Connectedness(info.ID) == network.Connected {
		f.others++
		f.hear(info, false)
		return
	}
	f.queue = append(f.queue, info)
	f.next()
}

// next dials as many as may be dialled at once.
func (f *finding) next() {
	for len(f.queue) > 0 && f.dials < findersAtOnce {
		info := f.queue[0]
		f.queue = f.queue[1:]
		f.dials++
		f.hear(info, true)
	}
}

// hear runs on the mesh's time: a provider that Find did not wait for becomes an event when heard.
func (f *finding) hear(info peer.AddrInfo, dialled bool) {
	f.m.goWork(func() {
		p, ok := f.m.hear(f.m.life, info)
		f.heard <- hearing{p, ok, dialled} // it has room for all
	})
}

// hear connects to a provider and returns its newest profile.
func (m *Mesh) hear(ctx context.Context, info peer.AddrInfo) (mesh.Profile, bool) {
	ctx, cancel := context.WithTimeout(ctx, providerTime)
	defer cancel()
	if err := m.host.Connect(ctx, info); err != nil {
		return mesh.Profile{}, false
	}
	if p, ok := m.profiles.fresh(nameOf(info.ID)); ok {
		return p, true
	}
	p, err := m.exchange(ctx, info.ID)
	return p, err == nil
}
