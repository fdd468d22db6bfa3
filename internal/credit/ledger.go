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
	// StrangerLine is the credit line, in microcredits, that a ledger gets when its
	// first voucher arrives; 0 means that only ledgers opened by OpenAccount pay.
	StrangerLine uint64
	// MaxStrangers bounds how many such lines are given; 0 means 1024. Past it a
	// stranger that owes nothing makes room, or one that has not been heard of.
	MaxStrangers int
	// StrangersLine is the most, in microcredits, that all strangers together can owe this
	// node; 0 means a line for each. What they pay from a balance does not count. Those of
	// one network may owe as much of it as is free.
	StrangersLine uint64
	// StrangerAge is after how long a stranger that owes all of its line makes room for
	// another, and what it owes is written off; 0 means a week. One that owes less does
	// sooner, in proportion.
	StrangerAge time.Duration
	// Self is whose ledger this is: what it earns goes to its own ledger account, to be
	// used again. Zero: it stays in the payee's account.
	Self identity.PeerID
	// MaxVoucherLife is how far ahead a voucher may expire; 0 means 24 h. It bounds
	// how long its nonce must be remembered.
	MaxVoucherLife time.Duration
	// MaxHolds bounds the open holds; 0 means 1,048,576.
	MaxHolds int
	// MaxSpent bounds the vouchers that have been used and not expired, of which some
	// 50 bytes each are kept; 0 means 8,388,608: 20,000 a second for 7 minutes.
	MaxSpent int
	// MaxPending bounds the movements that wait for one write; 0 means 4096.
	MaxPending int
	// CheckpointEvery is how many entries lie between checkpoints at least; 0 means
	// 65,536. As many as there are used vouchers in a checkpoint do, up to a million, so
	// that what is written stays in proportion. A log that has a budget may want them sooner.
	CheckpointEvery int
	// Grace is how long after its expiry a hold still waits for a late receipt;
	// 0 means 30 s.
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

// Ledger is the double-entry ledger of one node. Every method that moves money
// returns when the movement is durable in the log, and so may block for one
// write; movements that wait together share a write. The others do not block.
// Safe for concurrent use. The sum over all accounts never changes.
type Ledger struct {
	cfg      Config
	self     key // zero: nobody
	vouchers voucherCache

	mu      sync.Mutex
	state   *state
	line    clock.Line                // of the times in it
	started bool                      // the line has
	back    int64                     // by how much the clock had been put back then, until there is an entry
	names   map[identity.LedgerID]key // of known accounts
	batch   *batch                    // open for joining
	// What is set aside for holds to come, by ledger; whether somebody was refused for
	// want of funds since the last time onFreed was called.
	reserved map[key]uint64
	short    bool
	onFreed  func()
	onFailed func(error)
	owed     owed
	last     *batch // newest, open or not
	marked   uint64 // entries in the last checkpoint
	between  uint64 // how many the log takes until the next at most; 0: any number
	closed   bool

	failed error         // of the last write; refuses every movement until again
	torn   bool          // state holds movements that were refused with it
	again  time.Time     // when the log is tried the next time
	pause  time.Duration // until then; longer with each failure in a row
}

// The pauses between two tries of a log that fails.
const (
	firstPause   = time.Second
	longestPause = 30 * time.Second
)

// batch is the records that one write makes durable. Whoever opens it writes it,
// after the batch before; the others wait.
type batch struct {
	records [][]byte
	before  *batch
	frees   bool // one of them may let somebody spend more
	at      time.Time
	done    chan struct{}
	err     error
}

// OpenLedger replays the log. Errors match ErrConfig or ErrCorrupt (which names
// the entry), or are the log's own.
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

// entrySpace is the most that an entry takes in a log, in bytes: one that is written alone.
const entrySpace = entrySize + 28

// makeRoom saves two checkpoints, so that the log may let go of all that is before them. One
// that fails is made up for by the next.
func (l *Ledger) makeRoom() {
	saved := sealed(l.state.save())
	for range 2 {
		if l.cfg.Log.SaveCheckpoint(l.state.seq, saved) == nil {
			l.marked = l.state.seq
		}
	}
}

// replay is the state that a log's records add up to, as visit has them, and where its
// checkpoint is.
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
		if s.seq >= first { // it was read, or is in the checkpoint
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

// restored is restore of what the first next entries add up to.
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

// commit applies entries in order, all at one time, and waits until they are
// durable.
func (l *Ledger) commit(now time.Time, entries ...*entry) error {
	l.mu.Lock()
	b, leads, err := l.join(now, entries)
	l.mu.Unlock()
	return l.finish(b, leads, err)
}

// nanos is a time as the log has it: that this machine's clock is set while the ledger is
// open does not move it. The caller holds the lock.
func (l *Ledger) nanos(now time.Time) int64 {
	n := l.line.Nanos(now)
	if !l.started {
		l.started, l.back = true, l.state.fallen(n)
	}
	return n
}

// finish waits for what join queued.
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

// join applies entries and puts their records in the open batch. The caller holds
// the lock. When an entry is refused, those before it stand and are written.
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

// mayHold is what of a hold depends on this run's bounds and not on the log.
func (l *Ledger) mayHold(e *entry) error {
	if len(l.state.holds) >= l.cfg.MaxHolds || len(l.state.spent.of) >= l.cfg.MaxSpent {
		return ErrBusy
	}
	a := l.state.ledger(e.ledger)
	if a == nil || e.amount > maxAmount || l.state.mayHold(e, a, holdKey{e.ledger, e.nonce}) != nil {
		return nil // apply says the same, and why
	}
	return l.covers(e.ledger, a, e.amount)
}

// checkpointDue is how many entries after the last checkpoint the next one follows.
func (l *Ledger) checkpointDue() uint64 {
	due := uint64(max(l.cfg.CheckpointEvery, min(len(l.state.spent.of), 1<<20)))
	if l.between > 0 {
		return min(due, l.between)
	}
	return due
}

// write makes b durable, after the batch before it. Meanwhile others fill the
// next one.
func (l *Ledger) write(b *batch) {
	if b.before != nil {
		<-b.before.done
		b.before = nil
	}
	// Whoever is ready to move money joins now. On js/wasm, where one goroutine runs
	// at a time and a write blocks them all, nobody else would ever get to.
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
			// One that fails is made up for by the next: the log says the same.
			_ = l.cfg.Log.SaveCheckpoint(next, sealed(saved))
		}
	}
	l.wrote(b, err)
	close(b.done)
}

// Close waits for the movements under way and refuses everything after. The Log
// is the caller's to close.
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
	return nil // whoever was refused has heard it
}
