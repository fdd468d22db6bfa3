// Package submit makes a kernel.Submission from what a caller wants to run: ids, trace context,
// the DNA, and the job encoded as the envelope's payload. The console bridge and the command
// line share it.
package submit

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/google/uuid"

	"inos/internal/capsule"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/kernel"
	"inos/internal/wire"
)

// JobType is the envelope type of a job.
const JobType = "job:dispatch:v1"

// Order is a job as a caller states it. This package requires only Capsule; governance checks
// the rest.
type Order struct {
	Capsule        capsule.CID
	Method         string
	Args           []string
	Input          []byte
	Requirements   governance.Requirements
	Priority       uint8
	Deadline       time.Time // zero: the policy's default, or none
	Budget         uint64    // microcredits; 0: the policy's ceiling
	Replicas       uint8     // nodes that run it, each for Budget at most; 0 and 1 mean one
	Agree          uint8     // of them must return the same output; 0: more than half
	CreditLedgerID string    // unchecked: admission says whether it is valid
	Module         string    // name of the program that asks, for example "inos.console"
	Device         identity.PeerID
	TraceParent    string // W3C; empty starts a trace
}

// New builds the submission. It keeps Input without copying it.
func New(o Order, now time.Time) (kernel.Submission, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return kernel.Submission{}, fmt.Errorf("submit: job id: %w", err)
	}
	root := ""
	if o.TraceParent == "" {
		root = "console"
		if o.TraceParent, err = newTrace(); err != nil {
			return kernel.Submission{}, err
		}
	}
	job := governance.Job{
		ID:           id.String(),
		Capsule:      o.Capsule.String(),
		Method:       o.Method,
		Args:         o.Args,
		Requirements: o.Requirements,
		Priority:     o.Priority,
		Deadline:     o.Deadline,
		InputLength:  uint64(len(o.Input)),
		InputCID:     capsule.SumCID(o.Input).String(),
		Budget:       o.Budget,
		Replicas:     o.Replicas,
		Agree:        o.Agree,
	}
	env, err := wire.WithJob(governance.Envelope{
		ID:        job.ID,
		Type:      JobType,
		Timestamp: now,
		Metadata: governance.Metadata{
			ModuleID:       o.Module,
			DeviceID:       string(o.Device),
			TraceParent:    o.TraceParent,
			CreditLedgerID: o.CreditLedgerID,
			Version:        1,
		},
		Version: 1,
	}, job)
	if err != nil {
		return kernel.Submission{}, err
	}
	return kernel.Submission{Envelope: env, Job: job, Input: o.Input, Root: root}, nil
}

// newTrace starts a W3C trace: version 00, random trace and span ids, sampled.
func newTrace() (string, error) {
	var ids [24]byte
	if _, err := rand.Read(ids[:]); err != nil {
		return "", fmt.Errorf("submit: trace id: %w", err)
	}
	return "00-" + hex.EncodeToString(ids[:16]) + "-" + hex.EncodeToString(ids[16:]) + "-01", nil
}
