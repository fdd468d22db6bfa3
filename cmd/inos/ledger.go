package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"inos/internal/credit"
	"inos/internal/identity"
	"inos/internal/payment"
	"inos/internal/store"
	"inos/internal/wire"
)

// Names within a node's data folder: the ledger's log, and what is kept besides.
const (
	ledgerName = "ledger"
	keepName   = "node"
)

// openLedger opens the ledger's log in a node's data folder and tells diag what
// had to be mended. Only one process at a time can: store.ErrLocked says so.
func openLedger(data string, diag io.Writer) (store.Dir, *store.Log, func() error, error) {
	dir, err := store.OpenDir(data)
	if err != nil {
		return nil, nil, nil, err
	}
	log, found, err := store.OpenLog(dir, ledgerName)
	warn(diag, found)
	if err != nil {
		return nil, nil, nil, errors.Join(err, dir.Close())
	}
	return dir, log, func() error { return errors.Join(log.Close(), dir.Close()) }, nil
}

// warn says what a crash, or damage, left behind in a log. A crash alone loses nothing
// acknowledged by what is mended here; other damage is found by `inos ledger verify`.
func warn(diag io.Writer, found store.Recovery) {
	if found.Cut > 0 {
		fmt.Fprintf(diag, "inos: warning: the ledger's last %d bytes were not whole and have been cut off: a write that a crash tore, or damage to the newest entries\n", found.Cut)
	}
	if found.Marks > 0 {
		fmt.Fprintln(diag, "inos: warning: the ledger's newest end mark did not verify; the one before it counts")
	}
	for _, name := range found.Emptied {
		fmt.Fprintf(diag, "inos: warning: checkpoint %s did not verify and has been emptied; the ledger is replayed without it\n", name)
	}
}

const ledgerUsage = `usage: inos ledger {balance | history | export | verify} -data FOLDER
       inos ledger proofs -data FOLDER
       inos ledger {grant | withdraw | line} -data FOLDER [-ledger LEDGER] -credits N
       inos ledger {revoke | restore} -data FOLDER -ledger LEDGER
The first four read a running node's books as well; for the others it must not be running.`

// ledgerFlags are those of all of inos ledger's commands.
type ledgerFlags struct {
	data, key, ledger, credits string
	last                       int
}

func runLedger(_ context.Context, args []string, out, diag io.Writer) error {
	if len(args) == 0 {
		fmt.Fprintln(diag, ledgerUsage)
		return errUsage
	}
	var f ledgerFlags
	set := flag.NewFlagSet("ledger "+args[0], flag.ContinueOnError)
	set.StringVar(&f.data, "data", "", "the node's data folder (required)")
	set.StringVar(&f.ledger, "ledger", "", "history of this ledger only; whose balance or line to change: by default the node's own")
	set.StringVar(&f.key, "key", "", "the node's key file, to tell which ledger is its own; by default FOLDER/key")
	set.StringVar(&f.credits, "credits", "", "how many credits to grant or take back, or the line")
	set.IntVar(&f.last, "n", 50, "how many entries of history")
	if err := parse(set, args[1:], diag); err != nil {
		return err
	}
	if f.data == "" {
		fmt.Fprintln(diag, ledgerUsage)
		return errUsage
	}
	f.data = filepath.Clean(f.data)
	switch args[0] {
	case "balance", "history", "export", "verify":
		return readLedger(args[0], f, out, diag)
	case "grant", "withdraw", "line", "revoke", "restore":
		return changeLedger(args[0], f, out, diag)
	case "proofs":
		return showProofs(f, out, diag)
	}
	fmt.Fprintf(diag, "inos ledger: no command %q\n%s\n", args[0], ledgerUsage)
	return errUsage
}

// readLedger prints what is in the books, as they are now when their node is running.
func readLedger(command string, f ledgerFlags, out, diag io.Writer) (err error) {
	var log credit.Log
	check := func() error { return nil }
	_, own, done, err := openLedger(f.data, diag)
	switch {
	case errors.Is(err, store.ErrLocked):
		view, err := store.OpenView(f.data, ledgerName)
		if err != nil {
			return err
		}
		fmt.Fprintln(diag, "inos: the node is running: its ledger as of now, without the checkpoint")
		log, done = view, view.Close
	case err != nil:
		return err
	default:
		log, check = own, own.Verify
	}
	defer func() { err = errors.Join(err, done()) }()
	switch command {
	case "history":
		return credit.WriteHistory(out, log, identity.LedgerID(f.ledger), f.last)
	case "export":
		return credit.Export(out, log)
	case "verify":
		return errors.Join(check(), credit.WriteVerify(out, log))
	}
	l, err := credit.OpenLedger(credit.Config{Log: log, Codec: wire.Credit{}})
	if err != nil {
		return err
	}
	return errors.Join(credit.WriteBalances(out, l), l.Close())
}

// changeLedger is what a node's owner may do to a ledger on its books.
func changeLedger(command string, f ledgerFlags, out, diag io.Writer) (err error) {
	ledger := identity.LedgerID(f.ledger)
	if ledger == "" && command != "revoke" && command != "restore" {
		ledger, err = ownLedger(f)
		if err != nil {
			return err
		}
	}
	if _, err := ledger.PublicKey(); err != nil {
		return fmt.Errorf("-ledger %q: %w", ledger, err)
	}
	var amount uint64
	if command == "grant" || command == "withdraw" || command == "line" {
		if amount, err = credit.ParseCredits(f.credits); err != nil {
			return fmt.Errorf("-credits: %w", err)
		}
	}
	_, log, done, err := openLedger(f.data, diag)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	l, err := credit.OpenLedger(credit.Config{Log: log, Codec: wire.Credit{}})
	if err != nil {
		return err
	}
	now := time.Now()
	switch command {
	case "grant":
		err = l.Grant(ledger, amount, now)
	case "withdraw":
		err = l.Withdraw(ledger, amount, now)
	case "line":
		err = l.OpenAccount(ledger, amount, now)
	case "revoke":
		err = l.Revoke(ledger, now)
	case "restore":
		err = l.Restore(ledger, now)
	}
	if err == nil {
		err = credit.WriteBalances(out, l)
	}
	return errors.Join(err, l.Close())
}

// ownLedger is the ledger of the key in the data folder, which is not made here.
func ownLedger(f ledgerFlags) (identity.LedgerID, error) {
	if f.key == "" {
		f.key = filepath.Join(f.data, "key")
	}
	if _, err := os.Stat(f.key); err != nil {
		return "", fmt.Errorf("which ledger is the node's own? Say -ledger or -key: %w", err)
	}
	key, err := loadKey(f.key)
	if err != nil {
		return "", err
	}
	return identity.LedgerIDOf(key.Public().(ed25519.PublicKey)), nil
}

func showProofs(f ledgerFlags, out, diag io.Writer) (err error) {
	dir, _, done, err := openLedger(f.data, diag)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	kept, err := store.OpenKV(dir, keepName)
	if err != nil {
		return err
	}
	return errors.Join(payment.WriteProofs(out, kept, wire.Credit{}), kept.Close())
}
