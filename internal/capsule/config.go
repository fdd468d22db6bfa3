package capsule

import (
	"errors"
	"fmt"
	"time"
)

// Defaults of Config.
const (
	DefaultHeartbeat      = 250 * time.Millisecond
	DefaultReadyTimeout   = 10 * time.Second
	DefaultCommandTimeout = 5 * time.Second
	DefaultMaxTasks       = 64
	DefaultMaxCommands    = 64
)

// ClockInterval is how often the host refreshes the capsule's clock while it has a
// job or data of a stream to work on.
const ClockInterval = 10 * time.Millisecond

// Config of one live capsule. Codec is required; every other zero value is the
// documented default. The callbacks run on the capsule's pump goroutine: they
// must not block and must not call the capsule's blocking methods.
type Config struct {
	ID    string // names the capsule in heartbeats and errors
	Epoch uint32 // memory epoch to start with; 0 means 1
	Codec Codec

	Args           []string      // handed to the capsule before anything else
	MemoryLimit    uint64        // bytes; 0 means what the module declares
	Heartbeat      time.Duration // how often the capsule reports; 0 means DefaultHeartbeat
	ReadyTimeout   time.Duration // until the first heartbeat; 0 means DefaultReadyTimeout
	CommandTimeout time.Duration // of a Command without deadline; 0 means DefaultCommandTimeout
	MaxTasks       int           // Run calls at work at once, more wait; 0 means DefaultMaxTasks
	MaxCommands    int           // Command calls at work at once, more wait; 0 means DefaultMaxCommands

	OnHeartbeat func(Heartbeat) // of every one; the first was heard when Open returns
	OnLog       func(Log)
	OnData      func(payload []byte) // FrameData; payload is valid until it returns
	// Full holds the capsule back: while it returns true no event is taken out of the ring, and the
	// capsule waits for room in it. Its owner calls Look when it is no longer full. When the
	// capsule ends by itself, the rest of the ring is taken all the same. nil is never full.
	Full func() bool
}

func (cfg Config) withDefaults(info ModuleInfo) (Config, error) {
	if cfg.Codec == nil {
		return cfg, errors.New("capsule: Config.Codec is nil")
	}
	declared := uint64(info.MaxPages) * PageSize
	if cfg.MemoryLimit == 0 || cfg.MemoryLimit > declared {
		cfg.MemoryLimit = declared
	}
	asked := cfg.MemoryLimit
	// A memory has whole pages, and the limit is one that may be reached.
	cfg.MemoryLimit -= cfg.MemoryLimit % PageSize
	if least := uint64(info.MinPages) * PageSize; cfg.MemoryLimit < least {
		return cfg, fmt.Errorf("%w: %d bytes, the module needs %d", ErrMemoryLimit, asked, least)
	}
	cfg.Epoch = max(cfg.Epoch, 1)
	orDefault(&cfg.Heartbeat, DefaultHeartbeat)
	orDefault(&cfg.ReadyTimeout, DefaultReadyTimeout)
	orDefault(&cfg.CommandTimeout, DefaultCommandTimeout)
	orDefault(&cfg.MaxTasks, DefaultMaxTasks)
	orDefault(&cfg.MaxCommands, DefaultMaxCommands)
	return cfg, nil
}

func orDefault[T int | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}
