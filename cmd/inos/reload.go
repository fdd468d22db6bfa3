package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"

	"inos/internal/governance"
)

// reloadOn puts the policy file in force again on every hangup. On every try it logs what the file
// would have decided about the remembered jobs. A file that does not parse or verify leaves the old
// policy in force.
func (n *native) reloadOn(ctx context.Context, hangup, try chan os.Signal, f nodeFlags) {
	defer signal.Stop(hangup)
	defer signal.Stop(try)
	for {
		select {
		case <-hangup:
			p, err := loadPolicy(f.Policy, f.signers(n.mesh.Self()))
			var done governance.Enforced
			if err == nil {
				done, err = n.Replace(p)
			}
			if err != nil {
				n.logger.Error("policy not taken, the old one stays", "error", err)
				continue
			}
			decided(n.logger, "policy is in force", p, done.Changes, done.Looked)
		case <-try:
			p, err := loadPolicy(f.Policy, f.signers(n.mesh.Self()))
			var changes []governance.Change
			var looked int
			if err == nil {
				changes, looked, err = n.Gate.DryRun(p)
			}
			if err != nil {
				n.logger.Error("policy would not be taken", "error", err)
				continue
			}
			decided(n.logger, "policy is not in force", p, changes, looked)
		case <-ctx.Done():
			return
		}
	}
}

// decided logs the remembered jobs that p decides differently.
func decided(l *slog.Logger, what string, p governance.Policy, changes []governance.Change, looked int) {
	l.Info(what, "policy", p.Name, "version", p.Version, "different", len(changes), "of", looked)
	for _, c := range changes {
		l.Info("under it", "job", c.JobID, "was", c.Before.Short(), "is", c.After.Short())
	}
}
