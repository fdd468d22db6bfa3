package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"

	"inos/internal/store"
)

// Names in a node's data folder: the ledger's log, and the other stored data.
const (
	ledgerName = "ledger"
	keepName   = "node"
)

// openLedger opens the ledger's log in a node's data folder and logs what it had to repair. Only
// one process at a time can open it; the error for others is store.ErrLocked.
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

// warn logs what a crash or damage left behind in a log. What is repaired here after a crash alone
// was never acknowledged; inos ledger verify finds other damage.
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

// tell prints what the next node that opens the log will repair; see warn.
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

// noLedger is the error for a folder without a ledger; other errors stay as they are.
func noLedger(data string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no ledger in %s: expected the folder that a node has as its --data (%w)", data, fs.ErrNotExist)
	}
	return err
}

// busyLedger is the error for a ledger whose node must end first; other errors stay as they are.
func busyLedger(data string, err error) error {
	if errors.Is(err, store.ErrLocked) {
		return fmt.Errorf("a node is running with %s, or somebody reads it: end that first (%w)", data, err)
	}
	return noLedger(data, err)
}
