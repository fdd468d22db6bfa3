package credit

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"inos/internal/identity"
)

// Kind says what an Entry did.
type Kind uint8

// The kinds of entries. Their numbers are on disk: add, never change.
const (
	// KindLetGo is never stored. Verify reports it first where the log has removed entries: it
	// has the number, the hash and the time of the newest removed one.
	KindLetGo     Kind = 0
	KindAccount   Kind = 1  // a ledger became known, or its credit line changed to Amount
	KindGrant     Kind = 2  // issue -> ledger
	KindWithdraw  Kind = 3  // ledger -> issue
	KindRevoke    Kind = 4  // the ledger may not pay any more (Amount 0: it may again)
	KindHold      Kind = 5  // ledger -> held
	KindSettle    Kind = 6  // held -> peer, or this node's own ledger: Cost; held -> ledger: the rest
	KindRefund    Kind = 7  // held -> ledger
	KindExpire    Kind = 8  // held -> ledger, because the hold has expired
	KindChequeIn  Kind = 9  // a cheque of Ledger's owner: cheques -> ledger: Amount; Cost is set off
	KindChequeOut Kind = 10 // a cheque to it: peer -> drawn: Amount; Cost is set off
	KindClose     Kind = 11 // an unproven account closes; written off: issue -> ledger: Amount, issue -> cheques: Cost
)

var kindNames = map[Kind]string{KindLetGo: "let-go", KindAccount: "account", KindGrant: "grant", KindWithdraw: "withdraw",
	KindRevoke: "revoke", KindHold: "hold", KindSettle: "settle", KindRefund: "refund", KindExpire: "expire",
	KindChequeIn: "cheque-in", KindChequeOut: "cheque-out",
	KindClose: "close"}

func (k Kind) String() string {
	if s, ok := kindNames[k]; ok {
		return s
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// key is an Ed25519 public key, which names the owner of every account. Text forms take a
// microsecond to make, so only the edges make them.
type key [ed25519.PublicKeySize]byte

func (k key) zero() bool                { return k == key{} }
func (k key) peer() identity.PeerID     { return identity.PeerIDOf(k[:]) }
func (k key) ledger() identity.LedgerID { return identity.LedgerIDOf(k[:]) }

func peerKey(p identity.PeerID) (key, error) {
	pub, err := p.PublicKey()
	if err != nil {
		return key{}, fmt.Errorf("%w: %v", ErrPeer, err)
	}
	return key(pub), nil
}

// entry is one chained log entry. On disk it has a fixed size: the body, big endian, then the
// SHA-256 of the previous entry's hash and the body.
type entry struct {
	kind    Kind
	flags   uint8
	seq     uint64 // counts up from 1
	at      int64  // Unix nanoseconds, by the ledger's clock
	amount  uint64 // microcredits
	cost    uint64
	expires int64
	job     jobKey
	nonce   Nonce // KindAccount of an unproven account: its network
	ledger  key
	peer    key
}

const (
	entryVersion = 1
	entryBody    = 140
	entrySize    = entryBody + sha256.Size

	flagStranger = 1 // KindAccount: opened by a voucher, not by the owner
	flagOwn      = 2 // KindSettle: the payee is this node, whose ledger it goes to
	flagKnown    = 4 // KindAccount: opened by this node's owner, so not unproven
)

type hash = [sha256.Size]byte

func (e *entry) body(b *[entryBody]byte) {
	b[0], b[1], b[2], b[3] = entryVersion, byte(e.kind), e.flags, 0
	binary.BigEndian.PutUint64(b[4:], e.seq)
	binary.BigEndian.PutUint64(b[12:], uint64(e.at))
	binary.BigEndian.PutUint64(b[20:], e.amount)
	binary.BigEndian.PutUint64(b[28:], e.cost)
	binary.BigEndian.PutUint64(b[36:], uint64(e.expires))
	copy(b[44:], e.job[:])
	copy(b[60:], e.nonce[:])
	copy(b[76:], e.ledger[:])
	copy(b[108:], e.peer[:])
}

// seal encodes e after prev and returns its record and its hash.
func (e *entry) seal(prev hash) ([]byte, hash) {
	var in [sha256.Size + entryBody]byte
	copy(in[:], prev[:])
	e.body((*[entryBody]byte)(in[sha256.Size:]))
	sum := sha256.Sum256(in[:])
	record := make([]byte, 0, entrySize)
	record = append(record, in[sha256.Size:]...)
	return append(record, sum[:]...), sum
}

// unseal decodes a record and checks that it follows prev.
func unseal(record []byte, prev hash) (e entry, sum hash, err error) {
	if len(record) != entrySize {
		return e, sum, fmt.Errorf("%w: %d bytes, expected %d", ErrCorrupt, len(record), entrySize)
	}
	var in [sha256.Size + entryBody]byte
	copy(in[:], prev[:])
	copy(in[sha256.Size:], record[:entryBody])
	sum = sha256.Sum256(in[:])
	if sum != hash(record[entryBody:]) {
		return e, sum, fmt.Errorf("%w: hash does not follow from the entry before", ErrCorrupt)
	}
	b := record
	if b[0] != entryVersion || b[3] != 0 {
		return e, sum, fmt.Errorf("%w: entry version %d, this program writes %d", ErrCorrupt, b[0], entryVersion)
	}
	e.kind, e.flags = Kind(b[1]), b[2]
	e.seq = binary.BigEndian.Uint64(b[4:])
	e.at = int64(binary.BigEndian.Uint64(b[12:]))
	e.amount = binary.BigEndian.Uint64(b[20:])
	e.cost = binary.BigEndian.Uint64(b[28:])
	e.expires = int64(binary.BigEndian.Uint64(b[36:]))
	copy(e.job[:], b[44:])
	copy(e.nonce[:], b[60:])
	copy(e.ledger[:], b[76:])
	copy(e.peer[:], b[108:])
	return e, sum, nil
}

// Entry is one log entry in readable form.
type Entry struct {
	Sequence uint64
	At       time.Time
	Kind     Kind
	Ledger   identity.LedgerID
	Peer     identity.PeerID // payee, where there is one
	JobID    string
	Nonce    Nonce
	Amount   uint64 // microcredits
	Cost     uint64
	Expires  time.Time // of a hold
	Hash     [32]byte
}

func (e *entry) export(sum hash) Entry {
	x := Entry{Sequence: e.seq, At: time.Unix(0, e.at).UTC(), Kind: e.kind, JobID: e.job.String(),
		Amount: e.amount, Cost: e.cost, Hash: sum}
	if e.kind != KindAccount {
		x.Nonce = e.nonce
	}
	if !e.ledger.zero() {
		x.Ledger = e.ledger.ledger()
	}
	if !e.peer.zero() {
		x.Peer = e.peer.peer()
	}
	if e.expires != 0 && e.kind != KindChequeIn { // there it holds a sequence number
		x.Expires = time.Unix(0, e.expires).UTC()
	}
	return x
}
