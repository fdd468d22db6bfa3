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

// SavedReputation keeps what a node has seen of others beyond the program's end.
type SavedReputation struct {
	reputation *credit.Reputation
	keep       Store // nil: it ends with the program
}

// LoadReputation fills r with what keep has of a run before. keep may be nil.
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

// Save writes it. What cannot be written is written the next time.
func (s *SavedReputation) Save() {
	if s.keep != nil {
		_ = s.keep.Put(reputationKey, s.reputation.Save())
	}
}

// Run writes it every minute, and once more when ctx ends.
func (s *SavedReputation) Run(ctx context.Context) {
	defer s.Save()
	background.Every(ctx, reputationEvery, reputationEvery, func(context.Context) { s.Save() })
}
