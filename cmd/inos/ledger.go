package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"inos/internal/credit"
	"inos/internal/identity"
	"inos/internal/keyfile"
	"inos/internal/payment"
	"inos/internal/store"
	"inos/internal/wire"
)

type (
	ledgerCmd struct {
		Balance  balanceCmd  `cmd:"" help:"Who has what on the node's books. A running node's can be read, too."`
		History  historyCmd  `cmd:"" help:"The newest entries. A running node's can be read, too."`
		Export   exportCmd   `cmd:"" help:"Every entry that is kept, one JSON object a line. A running node's can be read, too."`
		Verify   verifyCmd   `cmd:"" help:"Every hash of what is kept, and that the sum over all accounts is 0. A running node's can be read, too."`
		Proofs   proofsCmd   `cmd:"" help:"What the node can show for what it is owed and has paid. It must not be running."`
		Grant    grantCmd    `cmd:"" help:"Give a ledger credits. The node must not be running."`
		Withdraw withdrawCmd `cmd:"" help:"Take credits back. The node must not be running."`
		Line     lineCmd     `cmd:"" help:"Set a ledger's credit line. The node must not be running."`
		Revoke   revokeCmd   `cmd:"" help:"Let a ledger pay for nothing more. The node must not be running."`
		Restore  restoreCmd  `cmd:"" help:"Undo revoke. The node must not be running."`
	}
	books struct {
		Data string `required:"" placeholder:"FOLDER" help:"The node's data folder."`
	}
	balanceCmd struct{ books }
	historyCmd struct {
		books
		Ledger ledgerID `placeholder:"LEDGER" help:"Of this ledger only."`
		N      count    `short:"n" default:"50" placeholder:"N" help:"How many entries (default ${default})."`
	}
	exportCmd struct{ books }
	verifyCmd struct{ books }
	proofsCmd struct{ books }
	amount    struct {
		books
		Ledger  ledgerID `placeholder:"LEDGER" help:"Whose; none: the node's own."`
		Key     string   `placeholder:"FILE" help:"The node's key file, to tell which ledger is its own; none: FOLDER/key."`
		Credits credits  `required:"" placeholder:"N" help:"How many credits, with 6 decimals at most."`
	}
	grantCmd    struct{ amount }
	withdrawCmd struct{ amount }
	lineCmd     struct{ amount }
	standing    struct {
		books
		Ledger ledgerID `required:"" placeholder:"LEDGER" help:"Whose."`
	}
	revokeCmd  struct{ standing }
	restoreCmd struct{ standing }
)

func (c *balanceCmd) Run(s *session) error {
	return c.read(s, func(log store.Readable) error {
		l, err := credit.OpenLedger(credit.Config{Log: log, Codec: wire.Credit{}})
		if err != nil {
			return err
		}
		return errors.Join(credit.WriteBalances(s.out, l), l.Close())
	})
}

func (c *historyCmd) Run(s *session) error {
	return c.read(s, func(log store.Readable) error {
		return credit.WriteHistory(s.out, log, identity.LedgerID(c.Ledger), int(c.N))
	})
}

func (c *exportCmd) Run(s *session) error {
	return c.read(s, func(log store.Readable) error { return credit.Export(s.out, log) })
}

func (c *verifyCmd) Run(s *session) error {
	return c.read(s, func(log store.Readable) error {
		return errors.Join(log.Verify(), credit.WriteVerify(s.out, log))
	})
}

func (c *grantCmd) Run(s *session) error    { return c.change(s, (*credit.Ledger).Grant) }
func (c *withdrawCmd) Run(s *session) error { return c.change(s, (*credit.Ledger).Withdraw) }
func (c *lineCmd) Run(s *session) error     { return c.change(s, (*credit.Ledger).OpenAccount) }
func (c *revokeCmd) Run(s *session) error   { return c.change(s, (*credit.Ledger).Revoke) }
func (c *restoreCmd) Run(s *session) error  { return c.change(s, (*credit.Ledger).Restore) }

// read passes the books to read in their present state, also while their node runs. It changes
// nothing in the folder.
func (b *books) read(s *session, read func(log store.Readable) error) error {
	log, found, running, err := store.ReadLog(b.Data, ledgerName)
	if err != nil {
		return noLedger(b.Data, err)
	}
	if running {
		fmt.Fprintln(s.diag, "inos: the node is running: its ledger as of now, without the checkpoint")
	}
	tell(s.diag, found)
	return errors.Join(read(log), log.Close())
}

// change makes an owner's change to the money of a ledger on the node's books.
func (c *amount) change(s *session, do func(l *credit.Ledger, of identity.LedgerID, amount uint64, now time.Time) error) error {
	of := identity.LedgerID(c.Ledger)
	if of == "" {
		if c.Key == "" {
			c.Key = filepath.Join(c.Data, "key")
		}
		key, err := keyfile.Load(c.Key)
		if err != nil {
			return fmt.Errorf("which ledger is the node's own? Say --ledger or --key: %w", err)
		}
		of = ledgerOf(key)
	}
	return changeLedger(s, c.Data, func(l *credit.Ledger) error { return do(l, of, uint64(c.Credits), time.Now()) })
}

// change makes an owner's change to a ledger on the node's books.
func (c *standing) change(s *session, do func(l *credit.Ledger, of identity.LedgerID, now time.Time) error) error {
	return changeLedger(s, c.Data, func(l *credit.Ledger) error { return do(l, identity.LedgerID(c.Ledger), time.Now()) })
}

func changeLedger(s *session, data string, change func(l *credit.Ledger) error) (err error) {
	if err := store.HasLog(data, ledgerName); err != nil {
		return noLedger(data, err) // only a node creates one
	}
	_, log, done, err := openLedger(data, (&nodeFlags{Name: "ledger"}).logger(s.diag))
	if err != nil {
		return busyLedger(data, err)
	}
	defer func() { err = errors.Join(err, done()) }()
	l, err := credit.OpenLedger(credit.Config{Log: log, Codec: wire.Credit{}})
	if err != nil {
		return err
	}
	if err = change(l); err == nil {
		err = credit.WriteBalances(s.out, l)
	}
	return errors.Join(err, l.Close())
}

// Run prints the proofs of a node that is not running: what it is owed.
func (c *proofsCmd) Run(s *session) (err error) {
	dir, err := store.OpenReading(c.Data)
	if err != nil {
		return busyLedger(c.Data, err)
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	kept, err := store.OpenKV(dir, keepName)
	if err != nil {
		return err
	}
	return errors.Join(payment.WriteProofs(s.out, kept, wire.Credit{}), kept.Close())
}
