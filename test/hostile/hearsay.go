//go:build unix

package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"inos/internal/capsule"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/mesh/p2p"
)

// byHearsay are attacks by false statements: about a capsule, about the node itself, about a job.
func byHearsay() []nativeAttack {
	return []nativeAttack{
		{"a public capsule's bytes, with a limit of 1 ns", "breaks that job alone", claims},
		{"2 of 3 nodes, at a tenth of the price, say internal", "all jobs of 10 new payers", besideLiars(mesh.JobInternal, 10)},
		{"2 of 3 nodes, at a tenth of the price, hang", "all jobs of 2 new payers", besideLiars(mesh.JobOK, 2)},
	}
}

// claims has the node run a commonly used capsule under a manifest of the attacker's.
func claims(ctx context.Context, a *arena) (string, bool, error) {
	b, err := newBuyer(ctx, a)
	if err != nil {
		return "", false, err
	}
	b.limit = 1
	got, err := b.buy(ctx, purchase{module: "hash", method: "sha256", budget: 10_000, voucher: time.Minute, time: 20 * time.Second})
	if err = errors.Join(err, b.mesh.Close()); err != nil {
		return "", false, err
	}
	return got.String(), got.Code == mesh.JobDeadline, a.honest(ctx)
}

// liar is a node that does no job.
type liar struct {
	code  mesh.JobCode // JobOK: it never answers
	asked *atomic.Int64
}

// HandleJob implements mesh.Handler.
func (l liar) HandleJob(ctx context.Context, _ identity.PeerID, call mesh.JobCall, _ mesh.FetchFunc, _ func(mesh.Progress)) mesh.JobOutcome {
	l.asked.Add(1)
	if l.code == mesh.JobOK {
		<-ctx.Done()
	}
	return mesh.JobOutcome{JobID: call.Job.ID, Code: l.code, Reason: "pay_me", Message: "\x1b[2J\x1b]0;mine\x07", Cost: 1 << 63}
}

// HandleCommand implements mesh.Handler.
func (liar) HandleCommand(context.Context, identity.PeerID, mesh.CommandCall) capsule.Reply {
	return capsule.Reply{Code: capsule.Denied}
}

// HandleFetch implements mesh.Handler.
func (liar) HandleFetch(context.Context, identity.PeerID, mesh.FetchCall) (mesh.Blob, bool) {
	return mesh.Blob{}, false
}

// newLiar makes a liar that offers more for less than the node does.
func newLiar(ctx context.Context, a *arena, l liar) (*p2p.Mesh, error) {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, err
	}
	m, err := p2p.New(p2p.Config{Key: key, Handler: l, Listen: []string{"/ip4/127.0.0.1/udp/0/quic-v1"}})
	if err != nil {
		return nil, err
	}
	if _, err = m.Connect(ctx, a.addr); err == nil {
		err = m.Publish(ctx, mesh.Profile{Kind: "native", CreditCost: price / 10, FreeSlots: 1000, Expires: time.Now().Add(time.Hour)})
	}
	return m, err
}

// besideLiars are jobs of payers that know no node and are told of two lying nodes before all
// others. Each job is done, and no text of the liars moves the payers' terminals.
func besideLiars(code mesh.JobCode, jobs int) func(context.Context, *arena) (string, bool, error) {
	return func(ctx context.Context, a *arena) (measured string, held bool, err error) {
		l := liar{code, new(atomic.Int64)}
		args := []string{"--timeout", "15s"}
		for range 2 {
			m, failed := newLiar(ctx, a, l)
			if m != nil {
				defer func() { err = errors.Join(err, m.Close()) }()
			}
			if failed != nil {
				return "", false, failed
			}
			args = append(args, "--bootstrap", m.Addrs()[0])
		}
		done, control, last := 0, 0, ""
		began := time.Now()
		for range jobs {
			said, err := a.job(ctx, filepath.Join(a.capsules, "hash.wasm"), args...)
			if err == nil {
				done++
			} else {
				last = ": " + tail(said)
			}
			if strings.ContainsFunc(said, func(r rune) bool { return r == 0x1b || r == 7 }) {
				control++
			}
		}
		measured = fmt.Sprintf("%d of %d done, %v each, the liars had them %d times, %d with control characters%s", done, jobs,
			(time.Since(began) / time.Duration(jobs)).Round(10*time.Millisecond), l.asked.Load(), control, last)
		return measured, done == jobs && control == 0 && l.asked.Load() > 0, nil
	}
}
