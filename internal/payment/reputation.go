package payment

import (
	"context"
	"fmt"
	"time"

	"inos/internal/background"
	"inos/internal/credit"
)

const (
	reputationKey   = "reputation"
	reputationEvery = time.Minute
)

// SavedReputation stores a node's reputation records across restarts.
type SavedReputation struct {
	reputation *credit.Reputation
	keep       Store // nil: nothing is stored
}

// LoadReputation fills r with the records of an earlier run in keep. keep may be nil.
func LoadReputation(keep Store, r *credit.Reputation) (*SavedReputation, error) {
	if keep != nil {
		if saved, ok := keep.Get(reputationKey); ok {
			if err := r.Load(saved); err != nil {
				return nil, fmt.Errorf("payment: reputation: %w", err)
			}
		}
	}
	return &SavedReputation{r, keep}, nil
}

// Save writes the records. A write that fails is made up for by the next.
func (s *SavedReputation) Save() {
	if s.keep != nil {
		_ = s.keep.Put(reputationKey, s.reputation.Save())
	}
}

// Run writes the records every minute, and once more when ctx ends. It blocks until then.
func (s *SavedReputation) Run(ctx context.Context) {
	defer s.Save()
	background.Every(ctx, reputationEvery, reputationEvery, func(context.Context) { s.Save() })
}
