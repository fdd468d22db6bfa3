package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"

	"inos/internal/store"
)

// Names within a node's data folder: the ledger's log, and what is kept besides.
const (
	ledgerName = "ledger"
	keepName   = "node"
)

// openLedger opens the ledger's log in a node's data folder and logs what had to be
// mended. Only one process at a time can: store.ErrLocked says so.
func openLedger(data string, l *slog.Logger) (store.Dir, *store.Log, func() error, error) {
	dir, err := store.OpenDir(data)
	if errors.Is(err, store.ErrLocked) {
		err = fmt.Errorf("%s: another node is running with it, or inos ledger reads it: %w", data, err)
	}
	if err != nil {
		return nil, nil, nil, err
	}
	log, found, err := store.OpenLog(dir, ledgerName)
	warn(l, found)
	if err != nil {
		return nil, nil, nil, errors.Join(err, dir.Close())
	}
	return dir, log, func() error { return errors.Join(log.Close(), dir.Close()) }, nil
}

// warn says what a crash, or damage, left behind in a log. A crash alone loses nothing
// acknowledged by what is mended here; other damage is found by inos ledger verify.
func warn(l *slog.Logger, found store.Recovery) {
	if found.Cut > 0 {
		l.Warn("the ledger's last bytes were not whole and have been cut off: a write that a crash tore, or damage to the newest entries", "bytes", found.Cut)
	}
	if found.Marks > 0 {
		l.Warn("the ledger's newest end mark did not verify; the one before it counts")
	}
	for _, name := range found.Emptied {
		l.Warn("a checkpoint did not verify and has been emptied; the ledger is replayed without it", "checkpoint", name)
	}
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

// noLedger says so where there is none; other errors stay as they are.
func noLedger(data string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no ledger in %s: expected the folder that a node has as its --data (%w)", data, fs.ErrNotExist)
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
