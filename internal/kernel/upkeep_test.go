package kernel

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/identity"
	"inos/internal/kernel/lifecycle"
	"inos/internal/supervisor"
	"inos/internal/testkit"
)

var errNoBalance = errors.New("no balance")

// fakeUpkeep is an Upkeep with so many seconds of money.
type fakeUpkeep struct {
	mu        sync.Mutex
	balance   time.Duration
	closed    int
	chargeErr error
	ran       time.Duration // that was charged for
}

func (b *fakeUpkeep) Open(ledger identity.LedgerID, from identity.PeerID, _ string, _ uint64, _ time.Time) (lifecycle.CapsuleAccount, error) {
	switch {
	case ledger == "" && from == "":
		return nil, nil
	case ledger != testkit.NamedLedger("payer"):
		return nil, errors.New("fakeUpkeep: unknown ledger")
	}
	return b, nil
}

func (b *fakeUpkeep) Ledger() identity.LedgerID { return testkit.NamedLedger("payer") }

func (b *fakeUpkeep) Charge(ran time.Duration, _ time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.chargeErr != nil {
		return b.chargeErr
	}
	b.ran += ran
	if b.balance -= ran; b.balance <= 0 {
		return errNoBalance
	}
	return nil
}

func (b *fakeUpkeep) Close(ran time.Duration, _ time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ran += ran
	b.closed++
}

func (b *fakeUpkeep) closes() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed
}

func (b *fakeUpkeep) repair() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.chargeErr = nil
}

func (b *fakeUpkeep) balanceLeft() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.balance
}

func (b *fakeUpkeep) setBalance(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.balance = d
}

func (w *fakeCapsules) commandCount(t capsule.CommandType) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.commands {
		if c.Type == t {
			n++
		}
	}
	return n
}

func TestDryCapsuleIsPausedThenKilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		money := &fakeUpkeep{balance: 5 * time.Second}
		home := w.start("home", func(c *Config) { c.Upkeep = money })
		events, cancel := home.Subscribe(1024)
		defer cancel()
		spawn := capsule.Command{ID: "1", Type: capsule.Spawn, Spawn: &capsule.SpawnParams{CID: "c", CreditLedgerID: string(testkit.NamedLedger("payer"))}}
		r, err := home.Command(t.Context(), "", spawn)
		require.NoError(t, err)
		require.Equal(t, capsule.OK, r.Code)
		id := r.CapsuleID
		time.Sleep(7 * time.Second)
		require.Equal(t, 1, home.capsules.commandCount(capsule.Pause))
		home.CapsuleEvent(supervisor.CapsuleStateChanged{ID: id, From: supervisor.Healthy, To: supervisor.Paused})
		r, err = home.Command(t.Context(), "", capsule.Command{ID: "2", Type: capsule.Resume, Target: id})
		require.NoError(t, err)
		require.Equal(t, capsule.Denied, r.Code, "it is not resumed on credit it has not")

		money.setBalance(3 * time.Second) // its owner pays
		time.Sleep(2 * time.Second)
		require.Equal(t, 1, home.capsules.commandCount(capsule.Resume))
		home.CapsuleEvent(supervisor.CapsuleStateChanged{ID: id, From: supervisor.Paused, To: supervisor.Healthy})
		time.Sleep(5 * time.Second)
		require.Equal(t, 2, home.capsules.commandCount(capsule.Pause))
		require.Zero(t, home.capsules.commandCount(capsule.Kill))
		time.Sleep(31 * time.Second)
		require.Equal(t, 1, home.capsules.commandCount(capsule.Kill))
		home.CapsuleEvent(supervisor.CapsuleEnded{ID: id, Reason: "its ledger ran dry"})
		time.Sleep(2 * time.Second)
		require.Equal(t, 1, money.closes())

		var actions []string
		for len(events) > 0 {
			if e, ok := (<-events).(CapsuleCredit); ok {
				actions = append(actions, e.Action)
				require.NoError(t, e.Err)
				require.Equal(t, id, e.CapsuleID)
			}
		}
		require.Equal(t, []string{"pause", "resume", "pause", "kill"}, actions)
	})
}

// A node whose own books cannot be written says nothing of the ledger that pays: the
// capsule runs on, and is charged when they can. Paused time costs nothing.
func TestUnwrittenChargeIsNotDry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		money := &fakeUpkeep{balance: time.Hour, chargeErr: fmt.Errorf("%w: disk full", lifecycle.ErrNotCharged)}
		home := w.start("home", func(c *Config) { c.Upkeep = money })
		r, err := home.Command(t.Context(), "", capsule.Command{ID: "1", Type: capsule.Spawn,
			Spawn: &capsule.SpawnParams{CID: "c", CreditLedgerID: string(testkit.NamedLedger("payer"))}})
		require.NoError(t, err)
		time.Sleep(5 * time.Minute)
		require.Zero(t, home.capsules.commandCount(capsule.Pause))
		require.Zero(t, home.capsules.commandCount(capsule.Kill))
		money.repair()
		home.CapsuleEvent(supervisor.CapsuleStateChanged{ID: r.CapsuleID, From: supervisor.Healthy, To: supervisor.Paused})
		time.Sleep(2 * time.Second)
		before := money.balanceLeft()
		time.Sleep(time.Minute)
		require.Equal(t, before, money.balanceLeft(), "paused")
		home.CapsuleEvent(supervisor.CapsuleStateChanged{ID: r.CapsuleID, From: supervisor.Paused, To: supervisor.Healthy})
		time.Sleep(time.Minute)
		require.InDelta(t, time.Minute, before-money.balanceLeft(), float64(2*time.Second))
	})
}

func TestSpawnNeedsALedgerThatPays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		money := &fakeUpkeep{balance: time.Hour}
		home := w.start("home", func(c *Config) { c.Upkeep = money })
		spawn := func(ledger identity.LedgerID) capsule.ReplyCode {
			r, err := home.Command(t.Context(), "", capsule.Command{ID: "1", Type: capsule.Spawn,
				Spawn: &capsule.SpawnParams{CID: "c", CreditLedgerID: string(ledger)}})
			require.NoError(t, err)
			return r.Code
		}
		require.Equal(t, capsule.Denied, spawn(testkit.NamedLedger("stranger")))
		require.Zero(t, home.capsules.commandCount(capsule.Spawn), "nothing runs that nobody pays for")
		require.Equal(t, capsule.OK, spawn(""), "the console's own")
		require.Equal(t, capsule.OK, spawn(testkit.NamedLedger("payer")))
		home.stop()
		require.Equal(t, 1, money.closes())
	})
}

func (b *fakeUpkeep) charged() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ran
}

// slowSpawn takes its time for each spawn, and fails at it if it shall.
type slowSpawn struct {
	*fakeCapsules
	takes time.Duration
	fails bool
}

func (s slowSpawn) Command(ctx context.Context, cmd capsule.Command) (capsule.Reply, error) {
	if cmd.Type == capsule.Spawn {
		time.Sleep(time.Second) // fetched, say: the node does not work on it yet
		capsule.Begin(ctx)
		time.Sleep(s.takes)
	}
	if s.fails {
		return capsule.Reply{ID: cmd.ID, Code: capsule.Deadline}, nil
	}
	return s.fakeCapsules.Command(ctx, cmd)
}

// A spawn is paid for from when the node begins to work on it, whatever comes of it.
func TestASpawnsStartIsCharged(t *testing.T) {
	for _, fails := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			money := &fakeUpkeep{balance: time.Hour}
			home := w.start("home", func(c *Config) {
				c.Upkeep, c.Capsules = money, slowSpawn{&fakeCapsules{}, 12 * time.Second, fails}
			})
			r, err := home.Command(t.Context(), "", capsule.Command{ID: "1", Type: capsule.Spawn,
				Spawn: &capsule.SpawnParams{CID: "c", CreditLedgerID: string(testkit.NamedLedger("payer"))}})
			require.NoError(t, err)
			require.Equal(t, fails, r.Code != capsule.OK)
			if fails {
				require.Equal(t, 12*time.Second, money.charged())
				require.Equal(t, 1, money.closes())
				return
			}
			time.Sleep(10 * time.Second)
			home.CapsuleEvent(supervisor.CapsuleEnded{ID: r.CapsuleID, Reason: "killed"})
			synctest.Wait()
			require.Equal(t, 22*time.Second, money.charged())
		})
	}
}

// A capsule that is paused whenever it is looked at is charged for the time between.
func TestPausesBetweenTicksAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		money := &fakeUpkeep{balance: time.Hour}
		home := w.start("home", func(c *Config) { c.Upkeep = money })
		time.Sleep(time.Second / 4) // the ticks come a quarter later than what follows
		r, err := home.Command(t.Context(), "", capsule.Command{ID: "1", Type: capsule.Spawn,
			Spawn: &capsule.SpawnParams{CID: "c", CreditLedgerID: string(testkit.NamedLedger("payer"))}})
		require.NoError(t, err)
		for range 20 {
			home.CapsuleEvent(supervisor.CapsuleStateChanged{ID: r.CapsuleID, From: supervisor.Paused, To: supervisor.Healthy})
			time.Sleep(time.Second / 2)
			home.CapsuleEvent(supervisor.CapsuleStateChanged{ID: r.CapsuleID, From: supervisor.Healthy, To: supervisor.Paused})
			time.Sleep(time.Second / 2)
		}
		require.Equal(t, 10*time.Second, money.charged())
	})
}
