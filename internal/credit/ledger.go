package credit

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"inos/internal/clock"
	"inos/internal/identity"
)

// Config of a Ledger. Log and Codec are required.
type Config struct {
	Log   Log
	Codec Codec
	// StrangerLine is the credit line, in microcredits, of an unproven account: one that a first
	// voucher opens. 0 means that only ledgers opened by OpenAccount pay.
	StrangerLine uint64
	// MaxStrangers bounds the unproven accounts; 0 means 1024. At the bound one that owes
	// nothing is closed for a new one, or one without transfers for long enough.
	MaxStrangers int
	// StrangersLine is the most, in microcredits, that all unproven accounts together can owe
	// this node; 0 means the sum of their lines. What they pay from a balance does not count.
	// The accounts of one network may owe as much as is left of it.
	StrangersLine uint64
	// StrangerAge is the time without transfers after which an unproven account that owes its
	// whole line may be closed and its debt written off; 0 means a week. The time is
	// proportional to the debt.
	StrangerAge time.Duration
	// Self is the owner of this ledger: its earnings go to its own ledger account, to be spent
	// again. Zero: they stay in the payee's account.
	Self identity.PeerID
	// MaxVoucherLife is how far ahead a voucher may expire; 0 means 24 h. It bounds
	// how long its nonce must be remembered.
	MaxVoucherLife time.Duration
	// MaxHolds bounds the open holds; 0 means 1,048,576.
	MaxHolds int
	// MaxSpent bounds the used vouchers that have not expired, of some 50 bytes each; 0 means
	// 8,388,608: 20,000 a second for 7 minutes.
	MaxSpent int
	// MaxPending bounds the transfers that wait for one write; 0 means 4096.
	MaxPending int
	// CheckpointEvery is the least number of entries between checkpoints; 0 means 65,536, or the
	// number of used vouchers in a checkpoint where that is larger, up to a million, so that
	// checkpoints stay a fixed share of what is written. A log with a budget may ask for them
	// sooner.
	CheckpointEvery int
	// Grace is how long after its expiry a hold still waits for a late receipt; 0 means 30 s.
	Grace time.Duration
}

func (c Config) withDefaults() (Config, error) {
	if c.Log == nil || c.Codec == nil {
		return c, fmt.Errorf("%w: a ledger needs a log and a codec", ErrConfig)
	}
	if c.MaxStrangers < 0 || c.StrangerAge < 0 || c.MaxHolds < 0 || c.MaxSpent < 0 || c.MaxPending < 0 || c.CheckpointEvery < 0 ||
		c.MaxVoucherLife < 0 || c.Grace < 0 || c.StrangerLine > maxAmount {
		return c, fmt.Errorf("%w: a figure is out of range", ErrConfig)
	}
	def := func(n *int, v int) {
		if *n == 0 {
			*n = v
		}
	}
	def(&c.MaxStrangers, 1024)
	if c.StrangersLine == 0 {
		c.StrangersLine = maxAmount
	}
	def(&c.MaxHolds, 1<<20)
	def(&c.MaxSpent, 1<<23)
	def(&c.MaxPending, 4096)
	def(&c.CheckpointEvery, 1<<16)
	if c.StrangerAge == 0 {
		c.StrangerAge = 7 * 24 * time.Hour
	}
	if c.MaxVoucherLife == 0 {
		c.MaxVoucherLife = 24 * time.Hour
	}
	if c.Grace == 0 {
		c.Grace = 30 * time.Second
	}
	return c, nil
}

// Ledger is the double-entry ledger of one node. A method that moves money returns when the
// transfer is durable in the log, so it may block for one write; concurrent transfers share a
// write. Other methods do not block. Safe for concurrent use. The sum over all accounts never
// changes.
type Ledger struct {
	cfg      Config
	self     key // zero: nobody
	vouchers voucherCache

	mu      sync.Mutex
	state   *state
	line    clock.Line                // of entry times
	started bool                      // whether line has started
	back    int64                     // by how much the clock was set back when line started; 0 after the first entry
	names   map[identity.LedgerID]key // of known accounts
	batch   *batch                    // open for joining
	// reserved holds the sums of open reservations by ledger. short is set when a call was
	// refused for want of funds since the last onFreed.
	reserved map[key]uint64
	short    bool
	onFreed  func()
	onFailed func(error)
	owed     owed
	last     *batch // newest, open or not
	marked   uint64 // entries in the last checkpoint
	between  uint64 // most entries that the log takes until the next one; 0: any number
	closed   bool

	failed error         // error of the last write; every transfer is refused with it until again
	torn   bool          // state includes transfers that were refused with failed
	again  time.Time     // when the log is tried next
	pause  time.Duration // doubled by each failure in a row
}

// The pause between two attempts to write a failing log.
const (
	firstPause   = time.Second
	longestPause = 30 * time.Second
)

// batch is the records that one write makes durable. The caller that opens a batch writes it,
// after the batch before; the others wait.
type batch struct {
	records [][]byte
	before  *batch
	frees   bool // an entry releases funds that another call may spend
	at      time.Time
	done    chan struct{}
	err     error
}

// OpenLedger replays the log. Errors match ErrConfig or ErrCorrupt (which names the entry), or
// are the log's own.
func OpenLedger(cfg Config) (*Ledger, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	var self key
	if cfg.Self != "" {
		if self, err = peerKey(cfg.Self); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrConfig, err)
		}
	}
	s, marked, err := replay(cfg.Log, cfg.Log.Replay)
	if err != nil {
		return nil, err
	}
	l := &Ledger{cfg: cfg, self: self, state: s, names: make(map[identity.LedgerID]key), reserved: make(map[key]uint64), marked: marked}
	l.vouchers.init()
	between, over := cfg.Log.Budget()
	l.between = uint64(between) / entrySpace
	if over {
		l.makeRoom()
	}
	return l, nil
}

// entrySpace is the most that an entry takes in a log, in bytes: that of one written alone.
const entrySpace = entrySize + 28

// makeRoom saves two checkpoints, so that the log may remove all that is before them. A failure
// is made up for by the next checkpoint.
func (l *Ledger) makeRoom() {
	saved := sealed(l.state.save())
	for range 2 {
		if l.cfg.Log.SaveCheckpoint(l.state.seq, saved) == nil {
			l.marked = l.state.seq
		}
	}
}

// replay returns the state that a log's records add up to, read by visit, and the entry of its
// checkpoint.
func replay(log Log, visit visit) (*state, uint64, error) {
	from, saved, err := log.LoadCheckpoint()
	if err != nil {
		return nil, 0, err
	}
	s := newState()
	if saved != nil && !outdated(saved) {
		if s, err = restored(saved, from); err != nil {
			return nil, 0, err
		}
	} else {
		from = 0
	}
	base := func(first uint64, state func() ([]byte, error)) error {
		if s.seq >= first { // the checkpoint was read, or is part of one that was
			return nil
		}
		saved, err := state()
		if err == nil {
			s, err = restored(saved, first)
		}
		from = first
		return err
	}
	err = visit(from, base, func(record []byte) error { return s.replayOne(record) })
	return s, from, err
}

// restored restores the state of the first next entries.
func restored(saved []byte, next uint64) (*state, error) {
	s, err := restore(saved)
	if err == nil && s.seq != next {
		err = fmt.Errorf("%w: checkpoint is of entry %d, not %d", ErrCorrupt, s.seq, next)
	}
	return s, err
}

func (s *state) replayOne(record []byte) error {
	e, sum, err := unseal(record, s.chain)
	if err != nil {
		return fmt.Errorf("entry %d: %w", s.seq+1, err)
	}
	if err := s.apply(&e); err != nil {
		return fmt.Errorf("%w: entry %d (%v): %v", ErrCorrupt, s.seq+1, e.kind, err)
	}
	s.before, s.chain = s.chain, sum
	return nil
}

// commit applies entries in order, all at one time, and waits until they are durable.
func (l *Ledger) commit(now time.Time, entries ...*entry) error {
	l.mu.Lock()
	b, leads, err := l.join(now, entries)
	l.mu.Unlock()
	return l.finish(b, leads, err)
}

// nanos converts a time for the log. Setting this machine's clock while the ledger is open does
// not change it. The caller holds the lock.
func (l *Ledger) nanos(now time.Time) int64 {
	n := l.line.Nanos(now)
	if !l.started {
		l.started, l.back = true, l.state.fallen(n)
	}
	return n
}

// finish waits for the batch that join returned.
func (l *Ledger) finish(b *batch, leads bool, err error) error {
	if b == nil {
		return err
	}
	if leads {
		l.write(b)
		if b.frees {
			l.mu.Lock()
			tell := l.freed()
			l.mu.Unlock()
			tell()
		}
	} else {
		<-b.done
	}
	return errors.Join(err, b.err)
}

// join applies entries and puts their records in the open batch. The caller holds the lock. When
// an entry is refused, those before it stand and are written.
func (l *Ledger) join(now time.Time, entries []*entry) (b *batch, leads bool, err error) {
	if l.closed {
		return nil, false, ErrClosed
	}
	if err := l.ready(now); err != nil {
		return nil, false, err
	}
	if l.batch != nil && len(l.batch.records)+len(entries) > l.cfg.MaxPending {
		return nil, false, ErrBusy
	}
	for _, e := range entries {
		e.seq, e.at = l.state.seq+1, l.nanos(now)
		if e.kind == KindHold {
			if err = l.mayHold(e); err != nil {
				break
			}
		}
		if err = l.apply(e); err != nil {
			break
		}
		l.back = 0
		record, sum := e.seal(l.state.chain)
		l.state.chain = sum
		if b == nil {
			if l.batch == nil {
				l.batch = &batch{before: l.last, at: now, done: make(chan struct{})}
				l.last, leads = l.batch, true
			}
			b = l.batch
		}
		b.records = append(b.records, record)
		b.frees = b.frees || e.kind != KindHold
	}
	return b, leads, err
}

// mayHold checks the conditions of a hold that depend on this run's bounds and not on the log.
func (l *Ledger) mayHold(e *entry) error {
	if len(l.state.holds) >= l.cfg.MaxHolds || len(l.state.spent.of) >= l.cfg.MaxSpent {
		return ErrBusy
	}
	a := l.state.ledger(e.ledger)
	if a == nil || e.amount > maxAmount || l.state.mayHold(e, a, holdKey{e.ledger, e.nonce}) != nil {
		return nil // apply refuses it, with the reason
	}
	return l.covers(e.ledger, a, e.amount)
}

// checkpointDue returns how many entries after the last checkpoint the next one follows.
func (l *Ledger) checkpointDue() uint64 {
	due := uint64(max(l.cfg.CheckpointEvery, min(len(l.state.spent.of), 1<<20)))
	if l.between > 0 {
		return min(due, l.between)
	}
	return due
}

// write makes b durable, after the batch before it. Meanwhile other callers fill the next batch.
func (l *Ledger) write(b *batch) {
	if b.before != nil {
		<-b.before.done
		b.before = nil
	}
	// Callers that are ready to move money join now. On js/wasm one goroutine runs at a time and
	// a write blocks them all, so without this none would ever join.
	runtime.Gosched()
	l.mu.Lock()
	l.batch = nil
	err := l.failed
	var saved []byte
	next := l.state.seq
	if err == nil && next-l.marked >= l.checkpointDue() {
		saved = l.state.save()
		l.marked = next
	}
	l.mu.Unlock()
	if err == nil {
		if err = l.cfg.Log.Append(b.records); err == nil && saved != nil {
			// A failure is made up for by the next checkpoint: the log holds the same facts.
			_ = l.cfg.Log.SaveCheckpoint(next, sealed(saved))
		}
	}
	l.wrote(b, err)
	close(b.done)
}

// Close waits for the transfers under way and refuses later ones. The caller closes the Log.
func (l *Ledger) Close() error {
	l.mu.Lock()
	b := l.last
	l.closed = true
	l.mu.Unlock()
	if b == nil {
		return nil
	}
	<-b.done
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.torn {
		return l.failed
	}
	return nil // refused callers have had the error
}
