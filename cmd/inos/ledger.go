package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"inos/internal/credit"
	"inos/internal/identity"
	"inos/internal/keyfile"
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

// tell says what the next node to open a log will mend; see warn.
func tell(diag io.Writer, found store.Recovery) {
	if found.Cut > 0 {
		fmt.Fprintf(diag, "inos: the ledger's last %d bytes are not whole, and are left out here: the next node to open it cuts them off\n", found.Cut)
	}
	if found.Marks > 0 {
		fmt.Fprintln(diag, "inos: the ledger's newest end mark does not verify; the one before it counts")
	}
	for _, name := range found.Emptied {
		fmt.Fprintf(diag, "inos: checkpoint %s does not verify; the ledger is read without it\n", name)
	}
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
The first four read a running node's books as well; for the others it must not be running.
The first five change nothing in FOLDER.`

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
		return showProofs(f, out)
	}
	fmt.Fprintf(diag, "inos ledger: no command %q\n%s\n", args[0], ledgerUsage)
	return errUsage
}

// readLedger prints what is in the books, as they are now when their node is running.
// It changes nothing in the folder.
func readLedger(command string, f ledgerFlags, out, diag io.Writer) (err error) {
	log, found, running, err := store.ReadLog(f.data, ledgerName)
	if err != nil {
		return noLedger(f.data, err)
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	if running {
		fmt.Fprintln(diag, "inos: the node is running: its ledger as of now, without the checkpoint")
	}
	tell(diag, found)
	switch command {
	case "history":
		return credit.WriteHistory(out, log, identity.LedgerID(f.ledger), f.last)
	case "export":
		return credit.Export(out, log)
	case "verify":
		return errors.Join(log.Verify(), credit.WriteVerify(out, log))
	}
	l, err := credit.OpenLedger(credit.Config{Log: log, Codec: wire.Credit{}})
	if err != nil {
		return err
	}
	return errors.Join(credit.WriteBalances(out, l), l.Close())
}

// noLedger says so where there is none; other errors stay as they are.
func noLedger(data string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no ledger in %s: expected the folder that a node has as its -data (%w)", data, fs.ErrNotExist)
	}
	return err
}

// busyLedger says that the node has to end first; other errors stay as they are.
func busyLedger(data string, err error) error {
	if errors.Is(err, store.ErrLocked) {
		return fmt.Errorf("a node is running with %s, or somebody reads it: end that first (%w)", data, err)
	}
	return noLedger(data, err)
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
	if _, err := os.Stat(filepath.Join(f.data, ledgerName+".log")); err != nil {
		return noLedger(f.data, err) // only a node makes one
	}
	_, log, done, err := openLedger(f.data, diag)
	if err != nil {
		return busyLedger(f.data, err)
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
	key, err := keyfile.Load(f.key)
	if err != nil {
		return "", fmt.Errorf("which ledger is the node's own? Say -ledger or -key: %w", err)
	}
	return identity.LedgerIDOf(key.Public().(ed25519.PublicKey)), nil
}

// showProofs prints what a node that is not running can show for what it is owed.
func showProofs(f ledgerFlags, out io.Writer) (err error) {
	dir, err := store.OpenReading(f.data)
	if err != nil {
		return busyLedger(f.data, err)
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	kept, err := store.OpenKV(dir, keepName)
	if err != nil {
		return err
	}
	return errors.Join(payment.WriteProofs(out, kept, wire.Credit{}), kept.Close())
}
