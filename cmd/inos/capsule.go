package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
	"unicode/utf8"

	"inos/internal/capsule"
	"inos/internal/fault"
	"inos/internal/mesh"
	"inos/internal/wire"
)

type (
	capsuleCmd struct {
		Run     runCapsuleCmd     `cmd:"" help:"Run one method of a capsule on this machine, without a mesh."`
		Inspect inspectCapsuleCmd `cmd:"" help:"Check capsules as a host does before it compiles one."`
	}
	runCapsuleCmd struct {
		File string   `arg:"" help:".wasm file of the capsule."`
		Args []string `arg:"" optional:"" help:"Arguments of the method; @FILE is what is in a file, @@TEXT is @TEXT. They may begin with - where -- comes before all of them."`

		Method      string      `placeholder:"NAME" help:"Method of the capsule; none: its default."`
		Input       string      `default:"-" placeholder:"FILE" help:"File of the input; - (the default) is standard input."`
		Output      string      `default:"-" placeholder:"FILE" help:"File for the output, written whole or not at all; - (the default) is standard output."`
		Stream      bool        `help:"Send the input up the capsule's stream as it comes, and call the method without input after its end."`
		MemoryLimit memoryLimit `placeholder:"SIZE" help:"The most memory it may have; none: what it declares."`
		JSON        bool        `name:"json" help:"Print one JSON object about the run on standard output, with the output in it unless --output names a file."`
		Timeout     *duration   `placeholder:"TIME" help:"Give up after this; none: it may take the time it needs."`
		Quiet       bool        `short:"q" help:"Print nothing but the result, and errors."`
	}
	inspectCapsuleCmd struct {
		Files []string `arg:"" help:".wasm files."`
		JSON  bool     `name:"json" help:"Print one JSON object a file on standard output."`
	}
)

// runReport is the JSON object of inos capsule run --json. Times are in milliseconds.
type runReport struct {
	Event      string  `json:"event"` // "run"
	Capsule    string  `json:"capsule"`
	CID        string  `json:"cid,omitempty"`
	OK         bool    `json:"ok"`
	Exit       int     `json:"exit"`              // the program's exit code
	Code       string  `json:"code,omitempty"`    // of the error
	Message    string  `json:"message,omitempty"` // of the error
	Retryable  bool    `json:"retryable,omitempty"`
	SpawnMs    float64 `json:"spawnMs"` // until it was ready, compilation excluded
	RunMs      float64 `json:"runMs"`
	InputBytes int     `json:"inputBytes"`
	Text       *string `json:"text,omitempty"`   // the output where it is UTF-8
	Output     []byte  `json:"output,omitempty"` // otherwise, in base64
}

// Run runs the capsule and prints its result. Errors of the capsule are *jobError.
func (c *runCapsuleCmd) Run(s *session) error {
	if c.Timeout != nil && *c.Timeout == 0 {
		return s.wrong("--timeout 0s leaves no time: expected how long to wait, for example 30s")
	}
	wasm, err := os.ReadFile(c.File)
	if err != nil {
		return err
	}
	task := capsule.Task{Method: c.Method}
	if task.Args, err = arguments(c.Args); err != nil {
		return err
	}
	if !c.Stream {
		if task.Input, err = readInput(c.Input, s); err != nil {
			return err
		}
	}
	ctx := s.ctx
	if c.Timeout != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(*c.Timeout))
		defer cancel()
	}
	r := runReport{Event: "run", Capsule: c.File}
	out, err := c.do(ctx, s, wasm, task, &r)
	return c.report(s, r, out, err)
}

// do compiles and starts the capsule, runs the task and records the times in r.
func (c *runCapsuleCmd) do(ctx context.Context, s *session, wasm []byte, task capsule.Task, r *runReport) (out []byte, err error) {
	rt, err := newRuntime("", newBudget(0))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rt.Close()) }()
	mod, err := rt.Compile(ctx, wasm)
	if err != nil {
		return nil, err
	}
	r.CID = mod.Info().CID.String()
	began := time.Now()
	running, err := capsule.Open(ctx, mod, capsule.Config{
		ID: nameOf(c.File), Codec: wire.Capsules{}, MemoryLimit: uint64(c.MemoryLimit),
		OnLog: func(l capsule.Log) {
			if !c.Quiet {
				fmt.Fprintln(s.diag, "log:", mesh.Printable(l.Text, maxLine))
			}
		},
	})
	if err != nil {
		return nil, err
	}
	ready := time.Now()
	r.SpawnMs, r.InputBytes = ms(ready.Sub(began)), len(task.Input)
	defer func() { r.RunMs = ms(time.Since(ready)) }()
	if c.Stream {
		if r.InputBytes, err = c.feed(ctx, s, running); err != nil {
			return nil, err
		}
	}
	var onProgress func(capsule.Progress)
	if shown := showProgress(s.diag, c.Quiet); shown != nil {
		defer shown.end()
		onProgress = func(p capsule.Progress) { shown.report(mesh.Progress{Done: p.Done, Total: p.Total}) }
	}
	return running.Run(ctx, task, onProgress)
}

// feed sends the input into the capsule's stream, and returns its length in bytes.
func (c *runCapsuleCmd) feed(ctx context.Context, s *session, to *capsule.Capsule) (n int, err error) {
	in := s.in
	if c.Input != "-" {
		file, err := os.Open(c.Input)
		if err != nil {
			return 0, fmt.Errorf("--input: %w", err)
		}
		defer func() { _ = file.Close() }()
		in = file
	}
	frames, failed := make(chan []byte), make(chan error, 1)
	go func() { // ends with its input, or with the program when a terminal gives none
		for frame := make([]byte, 16<<10); ; {
			got, err := in.Read(frame)
			if got > 0 {
				select {
				case frames <- bytes.Clone(frame[:got]):
				case <-ctx.Done():
					return
				}
			}
			if err != nil {
				failed <- err
				return
			}
		}
	}()
	for {
		select {
		case frame := <-frames:
			n += len(frame)
			if err := to.Send(ctx, frame); err != nil {
				return n, err
			}
		case err := <-failed:
			if errors.Is(err, io.EOF) {
				return n, nil
			}
			return n, err
		case <-ctx.Done():
			return n, ctx.Err()
		}
	}
}

// report prints the result of the run and returns its error, with the exit code.
func (c *runCapsuleCmd) report(s *session, r runReport, out []byte, err error) error {
	if s.ctx.Err() != nil && err != nil {
		err = errInterrupted
	}
	r.OK = err == nil
	switch {
	case err != nil:
		ended := endOf(err)
		r.Exit, r.Code, r.Message, r.Retryable = ended.exit, ended.code, err.Error(), ended.retryable
		err = ended
	case c.Output != "-" || !c.JSON:
		if err := writeOutput(c.Output, s, out); err != nil {
			return err
		}
	case utf8.Valid(out):
		text := string(out)
		r.Text = &text
	default:
		r.Output = out
	}
	if c.JSON {
		printJSON(s.out, r)
	} else if err == nil && !c.Quiet {
		fmt.Fprintf(s.diag, "spawned in %.1f ms, ran %.1f ms: %d bytes in, %d out\n", r.SpawnMs, r.RunMs, r.InputBytes, len(out))
	}
	return err
}

// inspectReport is one JSON object of inos capsule inspect --json.
type inspectReport struct {
	Event      string `json:"event"` // "capsule"
	Capsule    string `json:"capsule"`
	OK         bool   `json:"ok"`
	Code       string `json:"code,omitempty"`    // of the error
	Message    string `json:"message,omitempty"` // of the error
	CID        string `json:"cid,omitempty"`
	Bytes      uint64 `json:"bytes,omitempty"`
	MinPages   uint32 `json:"minPages,omitempty"` // of 64 KiB
	MaxPages   uint32 `json:"maxPages,omitempty"`
	ABIVersion uint32 `json:"abiVersion,omitempty"` // none when the module says it only at run time
}

// Run describes each file. The error is *jobError when one of them is no capsule.
func (c *inspectCapsuleCmd) Run(s *session) error {
	var failed []error
	for _, path := range c.Files {
		var info capsule.ModuleInfo
		wasm, err := os.ReadFile(path)
		if err == nil {
			if info, err = capsule.Inspect(wasm); err != nil {
				err = fmt.Errorf("%s: %w", path, err)
			}
		}
		if err != nil {
			failed = append(failed, err)
		}
		switch {
		case c.JSON:
			r := inspectReport{"capsule", path, err == nil, "", "", info.CID.String(), info.Size, info.MinPages, info.MaxPages, info.ABIVersion}
			if err != nil {
				r.CID, r.Code, r.Message = "", fault.Find(err).Code(), err.Error()
			}
			printJSON(s.out, r)
		case err == nil:
			fmt.Fprintf(s.out, "%-12s %7d bytes  %d-%d pages  ABI %d  %s\n",
				filepath.Base(path), info.Size, info.MinPages, info.MaxPages, info.ABIVersion, info.CID)
		}
	}
	err := errors.Join(failed...)
	if ended := endOf(err); err != nil && ended.exit == exitCapsule {
		return ended
	}
	return err // no file could be read, or none failed
}
