package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"

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

// warn says what a crash, or damage, left behind in a log. Nothing acknowledged is
// lost by what is mended here; the rest is found by `inos ledger verify`.
func warn(diag io.Writer, found store.Recovery) {
	if found.Cut > 0 {
		fmt.Fprintf(diag, "inos: warning: the ledger ended in a torn write: %d bytes that were never acknowledged have been cut off\n", found.Cut)
	}
	if found.Marks > 0 {
		fmt.Fprintln(diag, "inos: warning: the ledger's newest end mark did not verify; the one before it counts")
	}
	for _, name := range found.Emptied {
		fmt.Fprintf(diag, "inos: warning: checkpoint %s did not verify and has been emptied; the ledger is replayed without it\n", name)
	}
}

const ledgerUsage = "usage: inos ledger {balance | history | export | verify | proofs} -data FOLDER"

func runLedger(_ context.Context, args []string, out, diag io.Writer) (err error) {
	if len(args) == 0 {
		fmt.Fprintln(diag, ledgerUsage)
		return errUsage
	}
	set := flag.NewFlagSet("ledger "+args[0], flag.ContinueOnError)
	data := set.String("data", "", "the node's data folder (required); the node must not be running")
	ledger := set.String("ledger", "", "history of this ledger only")
	last := set.Int("n", 50, "how many entries of history")
	if err := parse(set, args[1:], diag); err != nil {
		return err
	}
	if *data == "" {
		fmt.Fprintln(diag, ledgerUsage)
		return errUsage
	}
	dir, log, done, err := openLedger(filepath.Clean(*data), diag)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	switch args[0] {
	case "balance":
		l, err := credit.OpenLedger(credit.Config{Log: log, Codec: wire.Credit{}})
		if err != nil {
			return err
		}
		return errors.Join(credit.WriteBalances(out, l), l.Close())
	case "history":
		return credit.WriteHistory(out, log, identity.LedgerID(*ledger), *last)
	case "export":
		return credit.Export(out, log)
	case "proofs":
		kept, err := store.OpenKV(dir, keepName)
		if err != nil {
			return err
		}
		return errors.Join(payment.WriteProofs(out, kept, wire.Credit{}), kept.Close())
	case "verify":
		return errors.Join(log.Verify(), credit.WriteVerify(out, log))
	}
	fmt.Fprintf(diag, "inos ledger: no command %q\n%s\n", args[0], ledgerUsage)
	return errUsage
}
