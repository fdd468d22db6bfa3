package lifecycle

import (
	"sync"

	"inos/internal/identity"
)

// Service answers what this node's console and other nodes ask of capsules. Its methods are safe
// for concurrent use.
type Service struct {
	cfg      Config
	modules  *Modules
	metering *Metering

	mu       sync.Mutex
	spawners map[string]identity.PeerID // of capsules that other nodes spawned
}

// New makes a Service on modules and metering, which were made of the same Config.
func New(c Config, modules *Modules, metering *Metering) *Service {
	return &Service{cfg: c, modules: modules, metering: metering, spawners: make(map[string]identity.PeerID)}
}

// CapsuleList lists the capsules running on this node.
func (s *Service) CapsuleList() []CapsuleInfo { return s.cfg.Capsules.List() }
