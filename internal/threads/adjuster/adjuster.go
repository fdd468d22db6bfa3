package adjuster

import (
	"context"
	"sync"
	"time"

	"inos/internal/threads/mailbox"
)

// Listener hears decisions, one at a time, on the adjuster's goroutine.
type Listener interface {
	Throttled(Throttle)
	Fidelity(Fidelity, time.Time)
}

// Throttle says how far the valve of a capsule is open from now on.
type Throttle struct {
	Capsule string
	Level   float64 // above 0 to 1, where 1 is unhindered
	Rate    float64 // bytes a second; +Inf at level 1
	At      time.Time
}

// Host is what fidelity depends on.
type Host struct {
	BatteryLow bool
	Visible    bool
}

// Config of an Adjuster. Listener is required; zero figures mean the defaults.
type Config struct {
	Listener Listener
	// Hold is how long a jam lasts before the valve is closed by another half; 0
	// means 250 ms.
	Hold time.Duration
	// Clear is how long there must have been no jam before the valve opens by
	// another step, an eighth; 0 means 500 ms.
	Clear time.Duration
	// Least is the level at which a valve stays, however long the jam; 0 means 1/64.
	Least float64
	// Rate is the rate, in bytes a second, that a jam throttles when nothing has
	// been measured; 0 means 1 MiB/s.
	Rate float64
	// Raise is how long a better fidelity must have been possible; 0 means 2 s.
	Raise time.Duration
	// Capsules is how many capsules are told apart; 0 means 4096.
	Capsules int
}

// Adjuster is a supervised service. Safe for concurrent use.
type Adjuster struct {
	cfg  Config
	mail *mailbox.Mailbox[string, news]

	mu     sync.Mutex
	valves map[string]*Valve

	// Of Serve alone; they survive its restart.
	jams   map[string]*jam
	host   Host
	sensor settle
}

// news is what the kernel tells; for the key "" the host, otherwise a capsule.
type news struct {
	host      Host
	congested bool
	jammed    bool // congested at any time since the last look
	gone      bool
}

// New makes an Adjuster: every valve open, full fidelity.
func New(c Config) *Adjuster {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	def(&c.Hold, 250*time.Millisecond)
	def(&c.Clear, 500*time.Millisecond)
	def(&c.Raise, 2*time.Second)
	if !(c.Least > 0 && c.Least < 1) {
		c.Least = 1.0 / 64
	}
	if !(c.Rate > 0) {
		c.Rate = 1 << 20
	}
	if c.Capsules <= 0 {
		c.Capsules = mailbox.DefaultLimit
	}
	return &Adjuster{
		cfg: c,
		mail: mailbox.New[string](c.Capsules+1, func(old, new news) news {
			new.jammed = new.jammed || old.jammed
			return new
		}),
		valves: make(map[string]*Valve),
		jams:   make(map[string]*jam),
		host:   Host{Visible: true},
		sensor: settle{level: Full},
	}
}

// String names the service to its supervisor.
func (a *Adjuster) String() string { return "adjuster" }

// Host tells the state of the host. It never blocks.
func (a *Adjuster) Host(h Host) error { return a.mail.Put("", news{host: h}) }

// Capsule tells whether a capsule is congested. It never blocks; its only error
// is mailbox.ErrFull.
func (a *Adjuster) Capsule(id string, congested bool) error {
	return a.mail.Put(id, news{congested: congested, jammed: congested})
}

// Gone tells that a capsule is no more: its valve opens and is forgotten.
func (a *Adjuster) Gone(id string) error { return a.mail.Put(id, news{gone: true}) }

// Valve returns the valve of a capsule. Past Config.Capsules of them an open one
// that nobody else has.
func (a *Adjuster) Valve(id string) *Valve {
	a.mu.Lock()
	defer a.mu.Unlock()
	v, ok := a.valves[id]
	if !ok {
		v = newValve()
		if len(a.valves) < a.cfg.Capsules {
			a.valves[id] = v
		}
	}
	return v
}

// Serve decides until ctx ends.
func (a *Adjuster) Serve(ctx context.Context) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var letters []mailbox.Letter[string, news]
	for {
		now := time.Now()
		letters = a.mail.Take(letters[:0])
		for _, l := range letters {
			a.hear(l.Key, l.Value, now)
		}
		next := a.step(now)
		if next.IsZero() {
			next = now.Add(time.Hour)
		}
		timer.Reset(time.Until(next))
		select {
		case <-a.mail.Wake():
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
