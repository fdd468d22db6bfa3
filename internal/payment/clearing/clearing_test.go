package clearing

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/credit"
	"inos/internal/identity"
	"inos/internal/kernel"
	"inos/internal/mesh"
	"inos/internal/testkit"
	"inos/internal/testkit/accounts"
)

// network carries requests between the clearings that are connected.
type network struct {
	mu sync.Mutex
	of map[identity.PeerID]*Clearing
}

// link is a node's end of the network.
type link struct {
	*network
	self  identity.PeerID
	sent  []string // the names of requests, as they were sent
	lossy bool     // what is sent arrives, and its answer does not come back
}

func (l *link) Peers() (peers []mesh.Peer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id := range l.of {
		if id != l.self {
			peers = append(peers, mesh.Peer{Connected: true, Profile: mesh.Profile{Peer: id}})
		}
	}
	return peers
}

var errLost = errors.New("the answer is lost")

func (l *link) Send(ctx context.Context, p identity.PeerID, name string, body []byte) ([]byte, error) {
	l.mu.Lock()
	c, lossy := l.of[p], l.lossy
	if c != nil {
		l.sent = append(l.sent, name)
	}
	l.mu.Unlock()
	if c == nil {
		return nil, mesh.ErrUnsent
	}
	answer, err := c.Answers()[name](ctx, l.self, body)
	if lossy {
		return nil, errLost
	}
	return answer, err
}

// requests are the names of all that was sent.
func (l *link) requests() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.sent)
}

// lose has answers lost from now on, or no more.
func (l *link) lose(yes bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lossy = yes
}

// node is a Party with a Clearing.
type node struct {
	*accounts.Party
	*Clearing
	link   *link
	events chan kernel.Event
}

// open makes a node, which is not connected yet.
func open(t testing.TB, net *network, cfg accounts.Config) *node {
	n := &node{Party: accounts.Open(t, cfg), events: make(chan kernel.Event, 1)}
	n.link = &link{network: net, self: n.Signer.Peer()}
	n.Clearing = New(Config{Payment: n.Payment, Ledger: n.Ledger, Signer: n.Signer, Requests: n.link,
		Subscribe: func(int) (<-chan kernel.Event, func()) { return n.events, func() {} },
		Now:       func() time.Time { return n.Now }})
	return n
}

func (n *node) connect() {
	n.link.mu.Lock()
	defer n.link.mu.Unlock()
	if n.link.of == nil {
		n.link.of = make(map[identity.PeerID]*Clearing)
	}
	n.link.of[n.link.self] = n.Clearing
}

// run runs the clearing in a bubble, whose clock the node uses.
func (n *node) run(t *testing.T) (end func()) {
	ctx, cancel := context.WithCancel(t.Context())
	n.Clearing.Now = time.Now
	done := make(chan struct{})
	go func() {
		n.Run(ctx)
		close(done)
	}()
	return func() {
		cancel()
		<-done
	}
}

// Of three vouchers of abandoned jobs, the one with a receipt is settled, the one that will
// never have one is refunded, and the one whose job still runs waits; each once.
func TestReceiptsOfLostJobs(t *testing.T) {
	net := &network{}
	payer, worker := open(t, net, accounts.Config{Key: 1}), open(t, net, accounts.Config{Key: 2})
	for i := range 3 {
		sub, here, earning := accounts.Send(t, payer.Party, worker.Party, 100)
		switch i {
		case 0:
			_, err := earning.Collect(accounts.Work(sub, 40, worker.Now), worker.Now)
			require.NoError(t, err)
		case 1:
			earning.Refund(worker.Now)
		}
		if i < 2 {
			payer.Payment.GiveUp(here, worker.link.self)
		}
	}
	payer.AskReceipts(t.Context())
	require.Len(t, payer.Ledger.Holds(), 3, "the worker is not there")
	worker.connect()
	payer.AskReceipts(t.Context())
	require.Equal(t, []string{mesh.RequestReceipt, mesh.RequestReceipt}, payer.link.requests(), "the third job may be in hand")
	require.EqualValues(t, -40-100, payer.Balance(t, payer.Signer.Ledger()))
	payer.Now = payer.Now.Add(90 * time.Second) // past the third job's deadline
	payer.AskReceipts(t.Context())
	require.Len(t, payer.link.requests(), 3)
	require.Len(t, payer.Ledger.Holds(), 1, "it is undecided there")
}

// A cheque is drawn only when enough is owed, and drawn again until it has arrived.
func TestChequesAreSentUntilTheyArrive(t *testing.T) {
	net := &network{}
	payer, worker := open(t, net, accounts.Config{Key: 1, Line: 10 * clearAt}), open(t, net, accounts.Config{Key: 2, Line: 10 * clearAt})
	worker.connect()
	owe := func(amount uint64) {
		sub, here, earning := accounts.Send(t, payer.Party, worker.Party, amount)
		w := accounts.Work(sub, amount, worker.Now)
		receipt, err := earning.Collect(w, worker.Now)
		require.NoError(t, err)
		out := mesh.JobOutcome{JobID: sub.Job.ID, Node: worker.link.self, OutputCID: w.OutputCID, Cost: amount, Receipt: receipt}
		require.NoError(t, payer.Payment.Pay(here, out, time.Hour, payer.Now))
	}
	standing := func(of, with *node) credit.Standing {
		s, err := of.Ledger.Standing(with.link.self)
		require.NoError(t, err)
		return s
	}
	owe(clearAt - 1)
	payer.SendCheques(t.Context())
	require.Empty(t, payer.link.requests(), "not yet worth a cheque")
	owe(1)
	payer.link.lose(true)
	payer.SendCheques(t.Context())
	require.Equal(t, credit.Standing{Drawn: clearAt}, standing(payer, worker))
	require.Equal(t, credit.Standing{Promised: clearAt}, standing(worker, payer))
	payer.link.lose(false)
	payer.SendCheques(t.Context())
	payer.SendCheques(t.Context())
	require.Equal(t, []string{mesh.RequestCheque, mesh.RequestCheque}, payer.link.requests(), "again once, and not after it has arrived")
	require.Equal(t, credit.Standing{Promised: clearAt}, standing(worker, payer), "a cheque counts once")
}

// A worker that ended in the middle of a job tells its payer that it will not bill it, as soon
// as the two are connected, and again until the payer has answered.
func TestUnearnedVouchersAreToldOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := &network{}
		log, keep := &credit.MemoryLog{}, &testkit.KVStore{}
		payer := open(t, net, accounts.Config{Key: 1})
		accounts.Send(t, payer.Party, accounts.Open(t, accounts.Config{Key: 2, Log: log, Keep: keep}), 100)
		worker := open(t, net, accounts.Config{Key: 2, Log: log, Keep: keep})
		require.EqualValues(t, -100, payer.Balance(t, payer.Signer.Ledger()))
		end := worker.run(t)
		time.Sleep(5*unearnedAgain + unearnedAgain/2)
		require.Empty(t, worker.link.requests())
		worker.link.lose(true)
		payer.connect()
		began := time.Now()
		worker.events <- kernel.PeerConnected{Peer: payer.link.self}
		synctest.Wait()
		require.Len(t, worker.link.requests(), 1)
		require.Zero(t, time.Since(began), "at once")
		require.Zero(t, payer.Balance(t, payer.Signer.Ledger()))
		time.Sleep(unearnedAgain)
		synctest.Wait()
		require.Len(t, worker.link.requests(), 2, "no answer came")
		worker.link.lose(false)
		time.Sleep(5 * unearnedAgain)
		synctest.Wait()
		require.Len(t, worker.link.requests(), 3)
		require.Empty(t, worker.Payment.Unearned(time.Now()))
		end()
	})
}

// Run asks for receipts and refunds what expires. It returns when everything that it started has
// ended; otherwise the bubble would not end.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := &network{}
		payer, worker := open(t, net, accounts.Config{Key: 1}), open(t, net, accounts.Config{Key: 2})
		worker.connect()
		sub, here, earning := accounts.Send(t, payer.Party, worker.Party, 100)
		_, err := earning.Collect(accounts.Work(sub, 40, time.Now()), time.Now())
		require.NoError(t, err)
		payer.Payment.GiveUp(here, worker.link.self)
		_, unheard, _ := accounts.Send(t, payer.Party, accounts.New(t, 3), 100)
		payer.Payment.GiveUp(unheard, testkit.Peer(3))
		end := payer.run(t)
		time.Sleep(receiptEvery + time.Second)
		require.Len(t, payer.Ledger.Holds(), 1, "the receipt has been asked for")
		require.EqualValues(t, -40-100, payer.Balance(t, payer.Signer.Ledger()))
		time.Sleep(5 * time.Minute)
		require.Empty(t, payer.Ledger.Holds(), "who does not answer is not paid in the end")
		require.EqualValues(t, -40, payer.Balance(t, payer.Signer.Ledger()))
		end()
	})
}

// A malformed or false request of another node is refused and moves nothing.
func TestMalformedRequests(t *testing.T) {
	n := open(t, &network{}, accounts.Config{Key: 1})
	for name, bodies := range map[string][][]byte{
		mesh.RequestReceipt:  {nil, make([]byte, 15), make([]byte, 17)},
		mesh.RequestUnearned: {make([]byte, 15), make([]byte, 16*(unearnedVouchers+1))},
	} {
		for _, body := range bodies {
			_, err := n.Answers()[name](t.Context(), testkit.Peer(2), body)
			require.ErrorIs(t, err, mesh.ErrProtocol, "%s of %d bytes", name, len(body))
		}
	}
	_, err := n.Answers()[mesh.RequestCheque](t.Context(), testkit.Peer(2), []byte("no cheque"))
	require.Error(t, err)
	answer, err := n.Answers()[mesh.RequestReceipt](t.Context(), testkit.Peer(2), make([]byte, 16))
	require.NoError(t, err)
	require.Empty(t, answer, "a voucher that nobody has is denied")
}
