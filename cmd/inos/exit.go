package main

import (
	"context"
	"errors"

	"inos/internal/cli"
)

// The program's exit codes, as docs/node.md lists them.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// exitCode is how the program ends after err.
func exitCode(err error) int {
	var usage *cli.UsageError
	switch {
	case err == nil || errors.Is(err, context.Canceled):
		return exitOK
	case errors.As(err, &usage):
		return exitUsage
	}
	return exitFailed
}

// said is err as the program says it: a usage error names its command itself.
func said(err error) string {
	var usage *cli.UsageError
	if errors.As(err, &usage) {
		return err.Error()
	}
	return "inos: " + err.Error()
}
