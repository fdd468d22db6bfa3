package monitor

import (
	"context"
	"fmt"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// notify sends state, daemon.SdNotifyReady or SdNotifyStopping, to systemd when it has asked for
// it (Type=notify). An error says why it could not be sent.
func notify(state string) error {
	if _, err := daemon.SdNotify(false, state); err != nil {
		return fmt.Errorf("monitor: systemd: %w", err)
	}
	return nil
}

// Ready tells systemd that the node is ready. Outside systemd it does nothing.
func Ready() error { return notify(daemon.SdNotifyReady) }

// Stopping tells systemd that the node is about to end.
func Stopping() error { return notify(daemon.SdNotifyStopping) }

// Watch tells systemd that the node is alive, often enough for its WatchdogSec, as long as alive
// returns nil. It blocks until ctx ends, or returns at once without a WatchdogSec.
func Watch(ctx context.Context, alive func(ctx context.Context) error) error {
	every, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		return fmt.Errorf("monitor: systemd's watchdog: %w", err)
	}
	if every == 0 {
		return nil
	}
	tick := time.NewTicker(every / 3)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if alive(ctx) == nil {
				if err := notify(daemon.SdNotifyWatchdog); err != nil {
					return err
				}
			}
		case <-ctx.Done():
			return nil
		}
	}
}
