package capsule

import (
	"fmt"

	"inos/internal/fault"
)

// MaxCapability bounds the name of a capability, in bytes.
const MaxCapability = 64

// ErrCapability: a text is no name of a capability. Final.
var ErrCapability = fault.Internal("capsule: no capability name")

// CheckCapability checks that name has the form of a capability's name: 1 to 64 lower-case letters,
// digits, '-', '_' and '.'. The names are free: a job can require any name that a node claims.
// Errors match ErrCapability.
func CheckCapability(name string) error {
	fits := len(name) > 0 && len(name) <= MaxCapability
	for i := 0; fits && i < len(name); i++ {
		c := name[i]
		fits = c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.'
	}
	if !fits {
		return fmt.Errorf("%w: %.80q: expected a word like storage or gpu.cuda, of lower-case letters, digits, - _ and ., at most %d",
			ErrCapability, name, MaxCapability)
	}
	return nil
}

// CheckCapabilities is CheckCapability for several names.
func CheckCapabilities(names []string) error {
	for _, name := range names {
		if err := CheckCapability(name); err != nil {
			return err
		}
	}
	return nil
}
