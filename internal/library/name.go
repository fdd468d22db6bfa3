package library

import (
	"fmt"

	"inos/internal/capsule"
	"inos/internal/fault"
)

// MaxName bounds the name of a capsule, in bytes.
const MaxName = 64

// Errors of names, both final.
var (
	// ErrName: the text is no name of a capsule. Advice: [console.md](console.md#names-of-capsules) has the form.
	ErrName = fault.Final("bad_name", "library: no capsule name")
	// ErrTaken: another capsule has the name. Advice: choose another name, or take it with `{ replace: true }`.
	ErrTaken = fault.Final("name_taken", "library: the name is taken")
)

// CheckName checks that name is 1 to 64 letters, digits, '-' and '_', and begins with a letter
// or a digit. A CID is not a name, since either may be given where a capsule is meant. Errors
// match ErrName.
func CheckName(name string) error {
	fits := len(name) > 0 && len(name) <= MaxName && name[0] != '-' && name[0] != '_'
	for i := 0; fits && i < len(name); i++ {
		c := name[i]
		fits = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
	}
	if !fits {
		return fmt.Errorf("%w: %.80q: expected a word like hash or word-count, of letters, digits, - and _, which begins with a letter or a digit, at most %d",
			ErrName, name, MaxName)
	}
	if _, err := capsule.ParseCID(name); err == nil {
		return fmt.Errorf("%w: %q is the CID of a capsule: expected a word like hash or word-count", ErrName, name)
	}
	return nil
}
