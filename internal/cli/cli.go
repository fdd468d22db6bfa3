// Package cli reads a command line into a struct: flags first, then INOS_* variables, then a
// TOML file, then defaults. The struct is kong's grammar. An error is one line that says what is
// wrong and what would be right. The package prints only help and versions.
package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"

	"inos/internal/fault"
)

// Prefix of the variables: the flag --drain-timeout is INOS_DRAIN_TIMEOUT.
const Prefix = "INOS"

// ErrShown: help or the version has been printed, as requested. It is no failure.
var ErrShown = fault.Internal("cli: shown")

// UsageError says in one line what is wrong with a command line, a variable or the file. Final.
type UsageError struct {
	Command string // "inos ledger verify"
	Message string
}

func (e *UsageError) Error() string {
	return fmt.Sprintf("%s: %s; see %s --help", e.Command, e.Message, e.Command)
}

// Program describes the program whose command line is read.
type Program struct {
	Name, Description string
	Vars              map[string]string // for ${...} in the grammar
}

// Parse reads args into grammar, a pointer to a kong grammar, and returns the chosen command,
// ready to Run. A flag may be written with one dash or two. Help goes to out, and the error is
// then ErrShown; other errors are *UsageError.
func (p Program) Parse(grammar any, args []string, out io.Writer) (chosen *kong.Context, err error) {
	type exited struct{}
	k, err := kong.New(grammar, kong.Name(p.Name), kong.Description(p.Description), kong.Vars(p.Vars),
		kong.DefaultEnvars(Prefix), kong.Writers(out, io.Discard),
		kong.Exit(func(int) { panic(exited{}) }), // help has been printed
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.ShortUsageOnError())
	if err != nil {
		return nil, fmt.Errorf("cli: grammar: %w", err) // a bug: a test parses every command
	}
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(exited); !ok {
				panic(r)
			}
			chosen, err = nil, ErrShown
		}
	}()
	chosen, err = k.Parse(written(args))
	if err == nil {
		return chosen, nil
	}
	if errors.Is(err, ErrShown) {
		return nil, ErrShown
	}
	return nil, usage(p.Name, err)
}

// Wrong returns a UsageError of a running command whose flags contradict each other.
func Wrong(chosen *kong.Context, format string, args ...any) error {
	return &UsageError{Command: path(chosen.Model.Name, chosen), Message: fmt.Sprintf(format, args...)}
}

func usage(name string, err error) error {
	var failed *kong.ParseError
	if errors.As(err, &failed) && failed.Context != nil {
		name = path(name, failed.Context)
	}
	return &UsageError{Command: name, Message: oneLine(err.Error())}
}

// path returns the program and the command that args have named so far.
func path(name string, c *kong.Context) string {
	words := []string{name}
	for _, p := range c.Path {
		if p.Command != nil {
			words = append(words, p.Command.Name)
		}
	}
	return strings.Join(words, " ")
}

// plain replaces kong's wording of its own tokens.
var plain = strings.NewReplacer(`expected value value but got "EOL" (<EOL>)`, "its value is missing",
	`missing value, expecting "<arg>,..."`, "its value is missing", "expected value value but got", "expected a value but got",
	" (short flag)", "", " (long flag)", "", "expected string value but got \"EOL\" (<EOL>)", "its value is missing",
	"expected string value", "expected a value")

func oneLine(s string) string { return plain.Replace(strings.Join(strings.Fields(s), " ")) }

// written returns args as kong reads them: -data becomes --data, help COMMAND becomes COMMAND
// --help, version becomes --version. What follows -- is not changed.
func written(args []string) []string {
	switch {
	case len(args) > 0 && args[0] == "help":
		args = append(append([]string(nil), args[1:]...), "--help")
	case len(args) > 0 && args[0] == "version":
		args = []string{"--version"}
	}
	out := make([]string, 0, len(args))
	for i, a := range args {
		if a == "--" {
			return append(out, args[i:]...)
		}
		if len(a) > 2 && a[0] == '-' && a[1] >= 'a' && a[1] <= 'z' {
			a = "-" + a
		}
		out = append(out, a)
	}
	return out
}
