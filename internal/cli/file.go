package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/alecthomas/kong"
)

// File is a flag that names a TOML file with values for other flags. cost = 10 at the top
// applies to every command with the flag --cost; under [node] it applies to inos node. The
// command line and variables take precedence. A key that no command has is an error.
type File string

// BeforeResolve implements a hook of kong.
func (f File) BeforeResolve(c *kong.Context, trace *kong.Path) error {
	path, _ := c.FlagValue(trace.Flag).(File)
	if path == "" {
		return nil
	}
	values, err := read(string(path), c.Model)
	if err != nil {
		return fmt.Errorf("--%s %s: %w", trace.Flag.Name, path, err)
	}
	c.AddResolver(values)
	return nil
}

// file is the content of a TOML file. It implements kong.Resolver.
type file struct {
	path string
	says map[string]any
}

func read(path string, app *kong.Application) (*file, error) {
	f := &file{path: path}
	_, err := toml.DecodeFile(path, &f.says)
	var where toml.ParseError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, errors.New("there is no such file")
	case errors.As(err, &where):
		return nil, fmt.Errorf("line %d is no TOML: %s", where.Position.Line, where.Message)
	case err != nil:
		return nil, err
	}
	return f, f.check(app.Node, true)
}

// check looks up every key among the flags of node or, at the top, of all commands.
func (f *file) check(root *kong.Node, top bool) error {
	flags := names(root, top)
	for key, value := range f.says {
		table, ok := value.(map[string]any)
		if !ok {
			if !slices.Contains(flags, key) {
				return fmt.Errorf("no command has a flag --%s", key)
			}
			continue
		}
		at := slices.IndexFunc(root.Children, func(n *kong.Node) bool { return n.Name == key })
		if at < 0 {
			return fmt.Errorf("[%s] is no command", key)
		}
		own := names(root.Children[at], true)
		for name, value := range table {
			if _, deeper := value.(map[string]any); deeper || !slices.Contains(own, name) {
				return fmt.Errorf("inos %s has no flag --%s", key, name)
			}
		}
	}
	return nil
}

// names returns the flags of n and, if deep, of the commands below it.
func names(n *kong.Node, deep bool) (out []string) {
	for _, f := range n.Flags {
		if f.Name != "help" && f.Name != "version" && f.Name != "config" {
			out = append(out, f.Name)
		}
	}
	for _, c := range n.Children {
		if deep {
			out = append(out, names(c, true)...)
		}
	}
	return out
}

// Validate implements kong.Resolver. read has validated the file.
func (f *file) Validate(*kong.Application) error { return nil }

// Resolve implements kong.Resolver.
func (f *file) Resolve(c *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, name := range flag.Envs {
		if _, ok := os.LookupEnv(name); ok {
			return nil, nil
		}
	}
	value, ok := f.says[flag.Name]
	for _, p := range c.Path {
		if p.Command == nil || p.Command.Parent == nil || p.Command.Parent.Type != kong.ApplicationNode {
			continue
		}
		if table, is := f.says[p.Command.Name].(map[string]any); is {
			if own, has := table[flag.Name]; has {
				value, ok = own, true
			}
		}
	}
	if _, table := value.(map[string]any); !ok || table {
		return nil, nil
	}
	if list, is := value.([]any); is {
		words := make([]string, len(list))
		for i, v := range list {
			words[i] = strings.ReplaceAll(fmt.Sprint(v), ",", `\,`)
		}
		return strings.Join(words, ","), nil
	}
	return fmt.Sprint(value), nil
}
