package credit

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
)

// A checkpoint is the state in a fixed layout, big endian: magic and version,
// counts, the records of each table, and the SHA-256 of all that.
const (
	// checkpointMagic is "INOSLC", version 7: unproven accounts have a network. Versions differ
	// by more than one bit, so that a flipped bit never turns one version into another.
	checkpointMagic = 0x494e_4f53_4c43_0007
	fourthMagic     = 0x494e_4f53_4c43_0004
	secondMagic     = 0x494e_4f53_4c43_0002
	firstMagic      = 0x494e_4f53_4c43_0001
)

// outdated reports whether a checkpoint is of an earlier version that may be ignored, because
// the log holds the same facts. From version 4 on a log may begin at a checkpoint, with earlier
// entries removed, so restore has to read it and later ones.
func outdated(b []byte) bool {
	if len(b) < 8 {
		return false
	}
	magic := binary.BigEndian.Uint64(b)
	return magic == firstMagic || magic == secondMagic || magic == fourthMagic
}

type cursor struct {
	b   []byte
	bad bool
}

func (c *cursor) u64() uint64 {
	if len(c.b) < 8 {
		c.bad = true
		return 0
	}
	v := binary.BigEndian.Uint64(c.b)
	c.b = c.b[8:]
	return v
}

func (c *cursor) fill(to []byte) {
	if len(c.b) < len(to) {
		c.bad = true
		return
	}
	c.b = c.b[copy(to, c.b):]
}

// sealed returns a checkpoint with its SHA-256 appended.
func sealed(b []byte) []byte {
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

// save returns the checkpoint without its SHA-256, which takes longer than the rest.
func (s *state) save() []byte {
	u := binary.BigEndian.AppendUint64
	for id, a := range s.accounts {
		// A refused transfer may have left an account that nobody uses.
		if id.class != classLedger && a.balance == 0 {
			delete(s.accounts, id)
		}
	}
	b := make([]byte, 0, 128+len(s.accounts)*96+len(s.holds)*128+len(s.spent.by)*16+len(s.spent.of)*17+len(s.cheques)*80)
	for _, v := range []uint64{checkpointMagic, s.seq, uint64(s.last), uint64(s.spent.before), uint64(len(s.accounts)),
		uint64(len(s.holds)), uint64(len(s.spent.by)), uint64(len(s.cheques))} {
		b = u(b, v)
	}
	b = append(b, s.chain[:]...)
	for id, a := range s.accounts {
		flags := uint64(id.class) << 8
		if a.revoked {
			flags |= 1
		}
		if a.stranger {
			flags |= 2
		}
		b = append(u(b, flags), id.owner[:]...)
		b = u(u(u(u(b, uint64(a.balance)), a.line), a.held), uint64(a.moved))
		b = append(b, a.network[:]...)
	}
	for hk, h := range s.holds {
		b = append(append(b, hk.ledger[:]...), hk.nonce[:]...)
		b = append(append(b, h.job[:]...), h.payee[:]...)
		b = u(u(b, h.amount), uint64(h.expires))
	}
	for _, second := range slices.Sorted(maps.Keys(s.spent.by)) {
		list := s.spent.by[second]
		b = u(u(b, uint64(second)), uint64(len(list)))
		for _, k := range list {
			b = append(append(b, k[:]...), byte(s.spent.of[k]))
		}
	}
	for k, c := range s.cheques {
		b = append(b, k[:]...)
		for _, v := range []uint64{c.inSeq, c.inPaid, c.outSeq, c.outPaid, c.offset} {
			b = u(b, v)
		}
	}
	return b
}

// restore reads the result of sealed. Errors match ErrCorrupt.
func restore(b []byte) (*state, error) {
	bad := func(what string) (*state, error) {
		return nil, fmt.Errorf("%w: checkpoint: %s", ErrCorrupt, what)
	}
	if len(b) < 96+sha256.Size {
		return bad("too short")
	}
	body := b[:len(b)-sha256.Size]
	if sha256.Sum256(body) != hash(b[len(body):]) {
		return bad("checksum")
	}
	c := &cursor{b: body}
	if c.u64() != checkpointMagic {
		return bad("magic or version")
	}
	s := newState()
	s.seq, s.last = c.u64(), int64(c.u64())
	s.spent.before = int64(c.u64())
	accounts, holds, seconds, cheques := c.u64(), c.u64(), c.u64(), c.u64()
	c.fill(s.chain[:])
	for range accounts {
		flags := c.u64()
		id := accountID{class: class(flags >> 8)}
		c.fill(id.owner[:])
		a := &account{balance: int64(c.u64()), line: c.u64(), held: c.u64(), moved: int64(c.u64()),
			revoked: flags&1 != 0, stranger: flags&2 != 0}
		c.fill(a.network[:])
		if c.bad {
			return bad("truncated")
		}
		if a.stranger {
			s.strangers++
		}
		s.accounts[id] = a
	}
	for range holds {
		var hk holdKey
		var h hold
		c.fill(hk.ledger[:])
		c.fill(hk.nonce[:])
		c.fill(h.job[:])
		c.fill(h.payee[:])
		h.amount, h.expires = c.u64(), int64(c.u64())
		if c.bad {
			return bad("truncated")
		}
		s.holds[hk] = h
	}
	for range seconds {
		second, n := int64(c.u64()), c.u64()
		for range n {
			var k usedKey
			var end [1]byte
			c.fill(k[:])
			c.fill(end[:])
			if c.bad {
				return bad("truncated")
			}
			s.spent.of[k] = outcome(end[0])
			s.spent.list(k, second)
		}
		if c.bad {
			return bad("truncated")
		}
	}
	for range cheques {
		var k key
		c.fill(k[:])
		s.cheques[k] = chequeState{c.u64(), c.u64(), c.u64(), c.u64(), c.u64()}
		if c.bad {
			return bad("truncated")
		}
	}
	if len(c.b) != 0 {
		return bad("trailing bytes")
	}
	if n := s.sum(); n != 0 {
		return bad(fmt.Sprintf("accounts add up to %d", n))
	}
	return s, nil
}
