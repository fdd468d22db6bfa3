// Command inos is the native side of the INOS mesh: a node that lends this machine, a server for
// the browser shell, and tools to use and inspect both.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"inos/internal/cli"
)

// version is set when the program is linked.
var version = "development"

// session is the environment of a command. ctx ends with the first signal to stop; in and out are
// for input and results, diag for all other output.
type session struct {
	ctx    context.Context
	in     io.Reader
	out    io.Writer
	diag   io.Writer
	chosen *kong.Context
}

// wrong is a usage error of the command that runs.
func (s *session) wrong(format string, args ...any) error {
	return cli.Wrong(s.chosen, format, args...)
}

func main() {
	if compiles(os.Args) {
		os.Exit(compile(os.Args))
	}
	ctx, stop := untilSignal()
	err := dispatch(&session{ctx: ctx, in: os.Stdin, out: os.Stdout, diag: os.Stderr}, os.Args[1:])
	stop()
	if logged := (loggedError{}); err != nil && !errors.As(err, &logged) {
		fmt.Fprintln(os.Stderr, said(err))
	}
	os.Exit(exitCode(err))
}

// untilSignal returns a context that the first SIGINT or SIGTERM ends. A second one ends the
// program at once, with exit code 128 plus its number, however soon it comes. stop ends the
// handling of signals.
func untilSignal() (ctx context.Context, stop context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	signals, over := make(chan os.Signal, 2), make(chan struct{})
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		for {
			select {
			case s := <-signals:
				if ctx.Err() != nil {
					n, _ := s.(syscall.Signal)
					os.Exit(128 + int(n))
				}
				cancel()
			case <-over:
				return
			}
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(over)
		cancel()
	}
}

// dispatch runs one command line. Errors are *cli.UsageError, or the command's.
func dispatch(s *session, args []string) error {
	program := cli.Program{
		Name:        "inos",
		Description: "A node of the INOS mesh, and tools to use and inspect one. Every flag can be given as a variable INOS_FLAG or in a TOML file, too.",
		Vars:        kong.Vars{"version": "inos " + version},
	}
	var err error
	if s.chosen, err = program.Parse(&grammar{}, args, s.out); errors.Is(err, cli.ErrShown) {
		return nil
	} else if err != nil {
		return err
	}
	return s.chosen.Run(s)
}
