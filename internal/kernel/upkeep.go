package kernel

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"inos/internal/capsule"
	"inos/internal/credit"
	"inos/internal/identity"
	"inos/internal/supervisor"
)

const (
	// upkeepEvery is how often capsules are charged, and how long one may run after
	// its money has ended.
	upkeepEvery = time.Second
	// upkeepAtMost bounds the capsules that are charged; more are not spawned.
	upkeepAtMost = 4096
	upkeepTime   = 5 * time.Second // for a pause, resume or kill
)

// keep is the capsules that a ledger pays for, by id.
type keep struct {
	over chan struct{} // capacity 1: one of them has ended
	mu   sync.Mutex
	tabs map[string]*kept
}

// kept is one of them. tab and over belong to the upkeep loop; the rest is the lock's.
type kept struct {
	tab    CapsuleAccount
	over   credit.Overdraft
	at     time.Time     // counted until then
	ran    time.Duration // since it was charged
	paused bool
	ended  bool
	dry    bool
}

// upkeepGap is the most that is counted between two ticks: a node that stood still has not
// worked meanwhile.
const upkeepGap = upkeepEvery + stoodStill

// count takes in what it ran until now, as it was until now. The lock is held.
func (c *kept) count(now time.Time) {
	if !now.After(c.at) {
		return
	}
	if !c.paused && !c.ended {
		c.ran += min(now.Sub(c.at), upkeepGap)
	}
	c.at = now
}

// take is what it ran and has not been charged for.
func (u *keep) take(c *kept, now time.Time) (ran time.Duration, ended bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	c.count(now)
	ran, c.ran = c.ran, 0
	return ran, c.ended
}

// CapsuleCredit: the ledger that pays for a capsule ran dry, or pays again. Action
// is "pause", "resume" or "kill"; Err says why it could not be done.
type CapsuleCredit struct {
	At
	CapsuleID string
	Ledger    identity.LedgerID
	Action    string
	Reason    string
	Err       error
}

// Name implements Event.
func (CapsuleCredit) Name() string { return "capsule:credit" }

// commandHere carries a command out on this node. What the policy does not let run is
// not spawned; spawned capsules are charged to their ledger from then on; one whose
// ledger is dry does not resume.
func (k *Kernel) commandHere(ctx context.Context, from identity.PeerID, origin string, cmd capsule.Command) (capsule.Reply, error) {
	refuse := func(code capsule.ReplyCode, message string) capsule.Reply {
		return capsule.Reply{ID: cmd.ID, Code: code, Message: message, CapsuleID: cmd.Target, Timestamp: time.Now()}
	}
	if cmd.Type == capsule.Resume && k.keep.isDry(cmd.Target) {
		return refuse(capsule.Denied, "kernel: the ledger that pays for this capsule has run dry"), nil
	}
	if cmd.Type != capsule.Spawn || cmd.Spawn == nil {
		return k.cfg.Capsules.Command(ctx, cmd)
	}
	if err := k.maySpawn(ctx, from, cmd.Spawn); err != nil {
		return refusal(cmd, err), nil
	}
	if k.cfg.Upkeep == nil {
		return k.cfg.Capsules.Command(ctx, cmd)
	}
	tab, err := k.cfg.Upkeep.Open(identity.LedgerID(cmd.Spawn.CreditLedgerID), from, origin, k.cfg.CreditCost, k.cfg.Now())
	if err != nil {
		r := refuse(capsule.Denied, err.Error())
		r.Reason = codeText(err)
		return r, nil
	}
	var began atomic.Pointer[time.Time]
	r, err := k.cfg.Capsules.Command(capsule.Metered(ctx, func() {
		now := time.Now()
		began.Store(&now)
	}), cmd)
	if tab == nil {
		return r, err
	}
	var ran time.Duration
	if at := began.Load(); at != nil {
		ran = k.chargeStart(tab, time.Since(*at))
	}
	switch {
	case err != nil || r.Code != capsule.OK:
		tab.Close(ran, k.cfg.Now())
	case !k.keep.add(r.CapsuleID, tab, ran):
		tab.Close(ran, k.cfg.Now())
		k.bestEffort(capsule.Command{Type: capsule.Kill, Target: r.CapsuleID, Kill: &capsule.KillParams{Reason: "too many capsules to charge for"}})
		return refuse(capsule.Refused, "kernel: too many capsules to charge for"), nil
	default:
		k.keep.check(k.cfg.Capsules.List())
	}
	return r, err
}

// startPart is how much of a capsule's start is charged at a time: an advance covers it.
const startPart = 5 * time.Second

// chargeStart pays for the time that a start took, its compilation with it, whatever came of
// it, and returns the rest, which is charged with what follows.
func (k *Kernel) chargeStart(tab CapsuleAccount, took time.Duration) (rest time.Duration) {
	for took > startPart && tab.Charge(startPart, k.cfg.Now()) == nil {
		took -= startPart
	}
	return took
}

// bestEffort gives a command of the kernel's own.
func (k *Kernel) bestEffort(cmd capsule.Command) error {
	ctx, cancel := context.WithTimeout(k.life, upkeepTime)
	defer cancel()
	cmd.ID, cmd.Timestamp = "upkeep "+cmd.Target, time.Now()
	r, err := k.cfg.Capsules.Command(ctx, cmd)
	k.commanded("", k.cfg.Self, cmd, r, err)
	if err == nil && r.Code != capsule.OK {
		err = fmt.Errorf("kernel: %s: code %d: %s", cmd.Type, r.Code, r.Message)
	}
	return err
}

func (u *keep) add(id string, tab CapsuleAccount, ran time.Duration) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.tabs) >= upkeepAtMost {
		return false
	}
	if u.tabs == nil {
		u.tabs = make(map[string]*kept)
	}
	u.tabs[id] = &kept{tab: tab, at: time.Now(), ran: ran}
	return true
}

// check marks the capsules that have ended before they were added.
func (u *keep) check(have []CapsuleInfo) {
	alive := make(map[string]bool, len(have))
	for _, c := range have {
		if !c.Ended() {
			alive[c.ID] = true
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	for id, c := range u.tabs {
		c.ended = c.ended || !alive[id]
	}
}

func (u *keep) isDry(id string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	c := u.tabs[id]
	return c != nil && c.dry
}

// note follows the supervisor. It never blocks.
func (u *keep) note(e supervisor.Event) {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch e := e.(type) {
	case supervisor.CapsuleStateChanged:
		if c := u.tabs[e.ID]; c != nil {
			c.count(time.Now())
			c.paused = e.To == supervisor.Paused
		}
	case supervisor.CapsuleEnded:
		if c := u.tabs[e.ID]; c != nil && !e.Restart {
			c.count(time.Now())
			c.ended = true
			select {
			case u.over <- struct{}{}:
			default:
			}
		}
	}
}

// keepUp charges the capsules until ctx ends, then closes their tabs.
func (k *Kernel) keepUp(ctx context.Context) error {
	tick := time.NewTicker(upkeepEvery)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			for id, c := range k.keep.all() {
				k.charge(id, c, now)
			}
		case <-k.keep.over: // its hold is wanted for others
			now := time.Now()
			for id, c := range k.keep.all() {
				if k.keep.hasEnded(c) {
					k.charge(id, c, now)
				}
			}
		case <-ctx.Done():
			for id, c := range k.keep.all() {
				k.keep.remove(id)
				ran, _ := k.keep.take(c, time.Now())
				c.tab.Close(ran, k.cfg.Now())
			}
			return ctx.Err()
		}
	}
}

// charge pays for what the capsule ran since the last time and does what follows
// when that fails.
func (k *Kernel) charge(id string, c *kept, now time.Time) {
	ran, ended := k.keep.take(c, now)
	if ended {
		k.keep.remove(id)
		c.tab.Close(ran, now)
		return
	}
	broke := c.tab.Charge(ran, now)
	dry := broke != nil && !errors.Is(broke, ErrNotCharged)
	if !dry && broke != nil && c.dry {
		return // nobody knows
	}
	action := c.over.Observe(dry, now)
	k.keep.mu.Lock()
	c.dry = dry
	k.keep.mu.Unlock()
	if action == credit.ActionNone {
		return
	}
	cmd := capsule.Command{Target: id}
	switch action {
	case credit.ActionPause:
		cmd.Type = capsule.Pause
	case credit.ActionResume:
		cmd.Type = capsule.Resume
	default:
		cmd.Type, cmd.Kill = capsule.Kill, &capsule.KillParams{Reason: "its ledger ran dry"}
	}
	e := CapsuleCredit{At{now}, id, c.tab.Ledger(), action.String(), "", k.bestEffort(cmd)}
	if broke != nil {
		e.Reason = broke.Error()
	}
	k.emit(e)
}

func (u *keep) hasEnded(c *kept) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return c.ended
}

func (u *keep) all() map[string]*kept {
	u.mu.Lock()
	defer u.mu.Unlock()
	out := make(map[string]*kept, len(u.tabs))
	for id, c := range u.tabs {
		out[id] = c
	}
	return out
}

func (u *keep) remove(id string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.tabs, id)
}
