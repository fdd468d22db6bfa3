package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"inos/internal/capsule"
	"inos/internal/credit"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/supervisor"
)

const (
	// chargeEvery is how often capsules are charged, and how long one may run after
	// its money has ended.
	chargeEvery = time.Second
	// maxMetered bounds the capsules that are charged; more are not spawned.
	maxMetered = 4096
	// commandTimeout is for a pause, resume or kill.
	commandTimeout = 5 * time.Second
	// startPart is how much of a capsule's start is charged at a time: an advance covers it.
	startPart = 5 * time.Second
	// maxChargeGap is the most that is counted between two charges: a node that stood still
	// has not worked meanwhile.
	maxChargeGap = chargeEvery + maxGap
)

// Metering charges ledgers for the capsules that were spawned on them. A capsule whose ledger
// is dry is paused, and killed after a while; it is resumed once the ledger pays again. Its
// methods are safe for concurrent use.
type Metering struct {
	cfg   Config
	ended chan struct{} // capacity 1: a capsule has ended

	mu       sync.Mutex
	capsules map[string]*metered // by id
}

// metered is a capsule that a ledger pays for. account and overdraft belong to Serve; the rest
// is the lock's.
type metered struct {
	account   CapsuleAccount
	overdraft credit.Overdraft
	at        time.Time     // counted until then
	ran       time.Duration // since it was charged
	paused    bool
	ended     bool
	dry       bool
}

// NewMetering makes one that is served once.
func NewMetering(c Config) *Metering {
	return &Metering{cfg: c, ended: make(chan struct{}, 1), capsules: make(map[string]*metered)}
}

// count takes in what it ran until now, as it was until now. The lock is held.
func (c *metered) count(now time.Time) {
	if !now.After(c.at) {
		return
	}
	if !c.paused && !c.ended {
		c.ran += min(now.Sub(c.at), maxChargeGap)
	}
	c.at = now
}

// uncharged is what c ran since it was charged; it counts as charged now.
func (m *Metering) uncharged(c *metered, now time.Time) (ran time.Duration, ended bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c.count(now)
	ran, c.ran = c.ran, 0
	return ran, c.ended
}

// spawn carries out a Spawn whose capsule is charged to its ledger from then on.
func (m *Metering) spawn(ctx context.Context, from identity.PeerID, origin string, cmd capsule.Command) (capsule.Reply, error) {
	if m.cfg.Upkeep == nil {
		return m.cfg.Capsules.Command(ctx, cmd)
	}
	account, err := m.cfg.Upkeep.Open(identity.LedgerID(cmd.Spawn.CreditLedgerID), from, origin, m.cfg.CreditCost, m.cfg.Now())
	if err != nil {
		r := refuse(cmd, capsule.Denied, err.Error())
		r.Reason = mesh.Reason(err)
		return r, nil
	}
	var began atomic.Pointer[time.Time]
	r, err := m.cfg.Capsules.Command(capsule.Metered(ctx, func() {
		now := time.Now()
		began.Store(&now)
	}), cmd)
	if account == nil {
		return r, err
	}
	var ran time.Duration
	if at := began.Load(); at != nil {
		ran = m.chargeStart(account, time.Since(*at))
	}
	switch {
	case err != nil || r.Code != capsule.OK:
		account.Close(ran, m.cfg.Now())
	case !m.add(r.CapsuleID, account, ran):
		account.Close(ran, m.cfg.Now())
		// It has been spawned: whether its end is heard of changes nothing of the answer.
		_ = m.command(capsule.Command{Type: capsule.Kill, Target: r.CapsuleID, Kill: &capsule.KillParams{Reason: "too many capsules to charge for"}})
		return refuse(cmd, capsule.Refused, "kernel: too many capsules to charge for"), nil
	default:
		m.markEnded(m.cfg.Capsules.List())
	}
	return r, err
}

// chargeStart pays for the time that a start took, its compilation with it, whatever came of
// it, and returns the rest, which is charged with what follows.
func (m *Metering) chargeStart(account CapsuleAccount, took time.Duration) (rest time.Duration) {
	for took > startPart && account.Charge(startPart, m.cfg.Now()) == nil {
		took -= startPart
	}
	return took
}

// command gives a command of the kernel's own.
func (m *Metering) command(cmd capsule.Command) error {
	ctx, cancel := context.WithTimeout(m.cfg.Life, commandTimeout)
	defer cancel()
	cmd.ID, cmd.Timestamp = "upkeep "+cmd.Target, time.Now()
	r, err := m.cfg.Capsules.Command(ctx, cmd)
	m.cfg.Events.Commanded("", m.cfg.Self, cmd, r, err)
	if err == nil && r.Code != capsule.OK {
		err = fmt.Errorf("kernel: %s: code %d: %s", cmd.Type, r.Code, r.Message)
	}
	return err
}

func (m *Metering) add(id string, account CapsuleAccount, ran time.Duration) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.capsules) >= maxMetered {
		return false
	}
	m.capsules[id] = &metered{account: account, at: time.Now(), ran: ran}
	return true
}

// markEnded marks the capsules that have ended before they were added.
func (m *Metering) markEnded(have []CapsuleInfo) {
	alive := make(map[string]bool, len(have))
	for _, c := range have {
		if !c.Ended() {
			alive[c.ID] = true
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, c := range m.capsules {
		c.ended = c.ended || !alive[id]
	}
}

// isDry reports whether the ledger that pays for a capsule has run dry.
func (m *Metering) isDry(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.capsules[id]
	return c != nil && c.dry
}

// Observe takes an event of the supervisor in. It never blocks.
func (m *Metering) Observe(e supervisor.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch e := e.(type) {
	case supervisor.CapsuleStateChanged:
		if c := m.capsules[e.ID]; c != nil {
			c.count(time.Now())
			c.paused = e.To == supervisor.Paused
		}
	case supervisor.CapsuleEnded:
		if c := m.capsules[e.ID]; c != nil && !e.Restart {
			c.count(time.Now())
			c.ended = true
			select {
			case m.ended <- struct{}{}:
			default:
			}
		}
	}
}

// Serve charges the capsules until ctx ends, then closes their accounts.
func (m *Metering) Serve(ctx context.Context) error {
	tick := time.NewTicker(chargeEvery)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			for id, c := range m.all() {
				m.charge(id, c, now)
			}
		case <-m.ended: // what is set aside for it is wanted for others
			now := time.Now()
			for id, c := range m.all() {
				if m.hasEnded(c) {
					m.charge(id, c, now)
				}
			}
		case <-ctx.Done():
			for id, c := range m.all() {
				m.remove(id)
				ran, _ := m.uncharged(c, time.Now())
				c.account.Close(ran, m.cfg.Now())
			}
			return ctx.Err()
		}
	}
}

// charge pays for what the capsule ran since the last time and does what follows
// when that fails.
func (m *Metering) charge(id string, c *metered, now time.Time) {
	ran, ended := m.uncharged(c, now)
	if ended {
		m.remove(id)
		c.account.Close(ran, now)
		return
	}
	failed := c.account.Charge(ran, now)
	dry := failed != nil && !errors.Is(failed, ErrNotCharged)
	if !dry && failed != nil && c.dry {
		return // nobody knows
	}
	action := c.overdraft.Observe(dry, now)
	m.mu.Lock()
	c.dry = dry
	m.mu.Unlock()
	if action == credit.ActionNone {
		return
	}
	cmd, reason := capsule.Command{Target: id}, ""
	switch action {
	case credit.ActionPause:
		cmd.Type = capsule.Pause
	case credit.ActionResume:
		cmd.Type = capsule.Resume
	default:
		cmd.Type, cmd.Kill = capsule.Kill, &capsule.KillParams{Reason: "its ledger ran dry"}
	}
	if failed != nil {
		reason = failed.Error()
	}
	m.cfg.Events.Charged(id, c.account.Ledger(), action.String(), reason, m.command(cmd))
}

func (m *Metering) hasEnded(c *metered) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return c.ended
}

func (m *Metering) all() map[string]*metered {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.capsules)
}

func (m *Metering) remove(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.capsules, id)
}
