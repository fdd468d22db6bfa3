package lifecycle

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/identity"
	"inos/internal/supervisor"
)

var errDry = errors.New("dry")

// prepaid is an Upkeep and its one account, with so much time paid for.
type prepaid struct {
	mu     sync.Mutex
	left   time.Duration
	broken error // of Charge
	ran    time.Duration
	closed int
}

func (p *prepaid) Open(ledger identity.LedgerID, _ identity.PeerID, _ string, _ uint64, _ time.Time) (CapsuleAccount, error) {
	switch ledger {
	case "":
		return nil, nil
	case "payer":
		return p, nil
	}
	return nil, errors.New("ledger is unknown")
}

func (p *prepaid) Ledger() identity.LedgerID { return "payer" }

func (p *prepaid) Charge(ran time.Duration, _ time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.broken != nil {
		return p.broken
	}
	p.ran += ran
	if p.left -= ran; p.left <= 0 {
		return errDry
	}
	return nil
}

func (p *prepaid) Close(ran time.Duration, _ time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ran += ran
	p.closed++
}

func (p *prepaid) with(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

// charged is how long it was charged for, and how often it was closed.
func (p *prepaid) charged() (ran time.Duration, closed int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ran, p.closed
}

// paid is a node whose capsules money pays for, and a capsule of it.
func paid(t *testing.T, money *prepaid) (s *site, id string) {
	s = network{}.start(t, "home", func(c *Config) { c.Upkeep = money })
	require.NoError(t, s.blobs.Accept(blob()))
	cmd := spawnOf(moduleCID())
	cmd.Spawn.CreditLedgerID = "payer"
	r, err := s.Command(t.Context(), "", cmd)
	require.NoError(t, err)
	require.Equal(t, capsule.OK, r.Code, r.Message)
	return s, r.CapsuleID
}

// A capsule whose ledger is dry is paused and may not be resumed or called; it goes on once the
// ledger pays, and is killed when that takes too long.
func TestDryLedger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		money := &prepaid{left: 5 * time.Second}
		s, id := paid(t, money)
		time.Sleep(7 * time.Second)
		require.Equal(t, 1, s.capsules.count(capsule.Pause))
		s.metering.Observe(supervisor.CapsuleStateChanged{ID: id, To: supervisor.Paused})
		r, err := s.Command(t.Context(), "", capsule.Command{ID: "2", Type: capsule.Resume, Target: id})
		require.NoError(t, err)
		require.Equal(t, capsule.Denied, r.Code)
		_, err = s.Call(t.Context(), "", id, capsule.Task{}, CallOptions{})
		require.ErrorIs(t, err, ErrDenied)

		money.with(func() { money.left = 3 * time.Second })
		time.Sleep(2 * time.Second)
		require.Equal(t, 1, s.capsules.count(capsule.Resume))
		s.metering.Observe(supervisor.CapsuleStateChanged{ID: id, To: supervisor.Healthy})
		_, err = s.Call(t.Context(), "", id, capsule.Task{}, CallOptions{})
		require.NoError(t, err)
		time.Sleep(36 * time.Second)
		require.Equal(t, 1, s.capsules.count(capsule.Kill))
		s.metering.Observe(supervisor.CapsuleEnded{ID: id})
		synctest.Wait()
		_, closed := money.charged()
		require.Equal(t, 1, closed)
		require.Equal(t, []string{"pause", "resume", "pause", "kill"}, s.actions)
	})
}

// A node that could not write a charge down says nothing of the ledger.
func TestUnwrittenCharge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		money := &prepaid{left: time.Hour, broken: fmt.Errorf("%w: disk full", ErrNotCharged)}
		s, id := paid(t, money)
		time.Sleep(5 * time.Minute)
		require.Empty(t, s.actions)
		money.with(func() { money.broken = nil })
		s.metering.Observe(supervisor.CapsuleEnded{ID: id, Restart: true})
		time.Sleep(time.Minute)
		ran, closed := money.charged()
		require.InDelta(t, time.Minute, ran, float64(2*time.Second))
		require.Zero(t, closed, "a restart is no end")
	})
}

// What ran until the end is charged at the end, and nothing after; on the node's own end
// accounts are closed.
func TestAccountsAreClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		money := &prepaid{left: time.Hour}
		s, id := paid(t, money)
		time.Sleep(10*time.Second + 500*time.Millisecond)
		s.metering.Observe(supervisor.CapsuleEnded{ID: id})
		synctest.Wait()
		_, closed := money.charged()
		require.Equal(t, 1, closed, "at once")
		time.Sleep(time.Minute)
		ran, _ := money.charged()
		require.Equal(t, 10*time.Second+500*time.Millisecond, ran)
	})
	t.Run("node", func(t *testing.T) {
		money := &prepaid{left: time.Hour}
		t.Cleanup(func() { require.Equal(t, 1, money.closed) }) // the last of them
		paid(t, money)
	})
}

func TestNothingIsSpawnedUnpaid(t *testing.T) {
	s := network{}.start(t, "home", func(c *Config) { c.Upkeep = &prepaid{left: time.Hour} })
	require.NoError(t, s.blobs.Accept(blob()))
	cmd := spawnOf(moduleCID())
	cmd.Spawn.CreditLedgerID = "stranger"
	r, err := s.Command(t.Context(), "", cmd)
	require.NoError(t, err)
	require.Equal(t, capsule.Denied, r.Code)
	require.Zero(t, s.capsules.spawned)
	for id := range maxMetered {
		require.True(t, s.metering.add(fmt.Sprint(id), &prepaid{}, 0))
	}
	cmd.Spawn.CreditLedgerID = "payer"
	r, err = s.Command(t.Context(), "", cmd)
	require.NoError(t, err)
	require.Equal(t, capsule.Refused, r.Code)
	require.Equal(t, 1, s.capsules.count(capsule.Kill), "it is not charged for")
}

// A node that stood still charges nobody for that.
func TestStandingStillIsNotCharged(t *testing.T) {
	c := &metered{at: time.Unix(0, 0)}
	c.count(time.Unix(1, 0))
	c.count(time.Unix(31, 0))
	require.Equal(t, chargeEvery+maxChargeGap, c.ran)
}
