package adjuster

import (
	"context"
	"sync"
	"time"

	"inos/internal/threads/mailbox"
)

// Listener receives decisions, one at a time, on the adjuster's goroutine.
type Listener interface {
	Throttled(Throttle)
	Fidelity(Fidelity, time.Time)
}

// Throttle says that a stream into a capsule is congested, or no longer is. During the jam the
// valve shuts and opens as the capsule reads.
type Throttle struct {
	Capsule string
	Jammed  bool
	Times   uint64        // how often the valve shut; known at the jam's end
	Held    time.Duration // how long in all; known at the jam's end
	At      time.Time
}

// Host is the state of the host that fidelity depends on.
type Host struct {
	BatteryLow bool
	Visible    bool
}

// Config of an Adjuster. Listener is required; zero figures mean the defaults.
type Config struct {
	Listener Listener
	// Clear is how long a capsule must be free of congestion before its jam is over; 0 means 500
	// ms. The valve does not wait for it.
	Clear time.Duration
	// Raise is how long a better fidelity must be possible before it is set; 0 means 2 s.
	Raise time.Duration
	// Capsules is the most capsules that have a valve of their own; 0 means 4096.
	Capsules int
}

// Adjuster is a supervised service. Safe for concurrent use.
type Adjuster struct {
	cfg  Config
	mail *mailbox.Mailbox[string, news]

	mu     sync.Mutex
	valves map[string]*Valve

	// Serve alone uses these; they survive its restart.
	jams   map[string]*jam
	host   Host
	sensor settle
}

// news is a report of the kernel: of the host under the key "", otherwise of a capsule.
type news struct {
	host   Host
	valve  *Valve // of the capsule
	jammed bool   // it shut at some time since the last look
}

// New returns an Adjuster with every valve open and full fidelity.
func New(c Config) *Adjuster {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	def(&c.Clear, 500*time.Millisecond)
	def(&c.Raise, 2*time.Second)
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

// Host reports the state of the host. It never blocks.
func (a *Adjuster) Host(h Host) error { return a.mail.Put("", news{host: h}) }

// Capsule reports whether a capsule is congested. Its valve has shut or opened when Capsule
// returns. Capsule never blocks. Its only error is mailbox.ErrFull, which means that the listener
// is not told; the valve is set all the same.
func (a *Adjuster) Capsule(id string, congested bool) error {
	v, known := a.valve(id, congested)
	if !known || !v.set(congested, time.Now()) {
		return nil
	}
	return a.mail.Put(id, news{valve: v, jammed: congested})
}

// Gone reports that a capsule has ended, and why. Waiters at its valve get the reason, and the
// valve is dropped. It never blocks; its only error is mailbox.ErrFull.
func (a *Adjuster) Gone(id string, why error) error {
	a.mu.Lock()
	v, ok := a.valves[id]
	delete(a.valves, id)
	a.mu.Unlock()
	if !ok {
		return nil
	}
	v.end(why)
	return a.mail.Put(id, news{valve: v})
}

// Valve returns the valve of a capsule. Beyond Config.Capsules of them it returns an open one that
// is not shared. The valve of a capsule that has ended stays until Gone is called again.
func (a *Adjuster) Valve(id string) *Valve {
	v, _ := a.valve(id, true)
	return v
}

// valve finds a capsule's valve and makes one only when wanted is set. known says whether there is
// one now.
func (a *Adjuster) valve(id string, wanted bool) (v *Valve, known bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if v, ok := a.valves[id]; ok {
		return v, true
	}
	if !wanted {
		return nil, false
	}
	v = newValve()
	if len(a.valves) >= a.cfg.Capsules {
		return v, false
	}
	a.valves[id] = v
	return v, true
}

// Serve makes decisions until ctx ends.
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
