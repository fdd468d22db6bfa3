package cli

import (
	"fmt"

	"github.com/alecthomas/kong"
)

// Version is a flag that prints the grammar's ${version} and ends.
type Version bool

// BeforeReset implements a hook of kong.
func (Version) BeforeReset(k *kong.Kong, vars kong.Vars) error {
	if _, err := fmt.Fprintln(k.Stdout, vars["version"]); err != nil {
		return err
	}
	return ErrShown
}
