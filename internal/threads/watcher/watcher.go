package watcher

import (
	"context"
	"sync"
	"time"

	"inos/internal/capsule"
	"inos/internal/threads/mailbox"
)

// Listener receives changes, one at a time, on the watcher's goroutine. During a call, signals wait
// and merge; none is lost and no sender waits.
type Listener interface {
	Mining(Mining)
	Host(Host)
	Capsule(Capsule)
}

// Mining says that mining may run or must stop from now on. It is sent once at the start and then
// when Run changes.
type Mining struct {
	Run    bool
	Reason string
	At     time.Time
}

// Host is the state of the machine and its user, sent when any of it changes.
type Host struct {
	Active   bool
	Visible  bool
	Battery  float64 // 0 to 1; 1 when there is none
	Charging bool
	At       time.Time
}

// Capsule is what changed about a capsule: congestion, status, the request for more memory, or its
// end. Congested is true when the capsule was congested at any time since the last Capsule, so a
// short jam is reported; when the jam is over by now, another Capsule follows at once.
type Capsule struct {
	ID        string
	Congested bool
	Last      capsule.Heartbeat
	Ended     bool
	Ends      uint64 // ends since the last Capsule
	Jams      uint64 // jams begun since the last Capsule
	Reason    string
	At        time.Time
}

// Config of a Watcher. Listener is required; zero figures mean the defaults.
type Config struct {
	Listener  Listener
	IdleAfter time.Duration // a user without activity for this long is not active; 0 means 30 s
	Keys      int           // the most kinds of signals and capsules that wait; 0 means 4096
}

// LowBattery is the level below which mining stops.
const LowBattery = 0.2

// Watcher is a supervised service. Safe for concurrent use.
type Watcher struct {
	cfg  Config
	mail *mailbox.Mailbox[key, report]

	mu    sync.Mutex // guards the last state told, for readers
	state Host
	mine  Mining

	// Serve alone uses these; they survive its restart.
	lastActive time.Time
	host       Host // as the signals give it
	told       bool // the first Mining has been sent
	capsules   map[string]Capsule
}

// New returns a Watcher of a machine without a battery, with a visible page and an idle user.
func New(c Config) *Watcher {
	if c.IdleAfter <= 0 {
		c.IdleAfter = 30 * time.Second
	}
	return &Watcher{
		cfg:      c,
		mail:     mailbox.New[key](c.Keys, merge),
		host:     Host{Visible: true, Battery: 1},
		state:    Host{Visible: true, Battery: 1},
		capsules: make(map[string]Capsule),
	}
}

// String names the service to its supervisor.
func (w *Watcher) String() string { return "watcher" }

// Offer reports a signal. It never blocks. Errors match ErrSignal, or mailbox.ErrFull when too many
// capsules report at a time.
func (w *Watcher) Offer(s Signal) error {
	if err := s.check(); err != nil {
		return err
	}
	r := report{signal: s, at: time.Now()}
	switch s := s.(type) {
	case Activity:
		if !s.At.IsZero() && s.At.Before(r.at) {
			r.at = s.At
		}
	case Heartbeat:
		r.congested, r.first, r.newest = s.Congested, s.Congested, s.Congested
	case Ended:
		r.ends, r.reason = 1, s.Reason
	}
	return w.mail.Put(s.key(), r)
}

// Stats counts the signals offered and what became of them.
func (w *Watcher) Stats() mailbox.Stats { return w.mail.Stats() }

// Now returns the state last told: the host's, and whether mining runs.
func (w *Watcher) Now() (Host, Mining) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state, w.mine
}

// Serve processes signals until ctx ends.
func (w *Watcher) Serve(ctx context.Context) error {
	idle := time.NewTimer(0) // the first look tells the initial state
	defer idle.Stop()
	var letters []mailbox.Letter[key, report]
	for {
		select {
		case <-w.mail.Wake():
		case <-idle.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		letters = w.mail.Take(letters[:0])
		for _, l := range letters {
			w.look(l.Value)
		}
		w.decide(time.Now())
		if w.host.Active {
			idle.Reset(time.Until(w.lastActive.Add(w.cfg.IdleAfter)))
		}
	}
}
