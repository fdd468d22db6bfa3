package wire

import (
	"fmt"
	"time"

	"inos/internal/identity"
	"inos/internal/mesh"
	systemv1 "inos/schema/system/v1"
)

// JobFrame is one frame of /inos/job/1: exactly one field is set.
type JobFrame struct {
	Request  *JobRequest
	Input    []byte
	Cancel   bool
	Progress *mesh.Progress
	Result   *JobResult
	Output   []byte
}

// JobRequest opens a job stream. Its byte fields are encoded messages.
type JobRequest struct {
	Envelope []byte
	Voucher  []byte
	Manifest []byte
	Timeout  time.Duration // for the job, from sending on; 0: only its deadline applies
}

// JobResult is an outcome and the length of the output, which follows in Output frames.
// Outcome.Output itself is not part of this frame.
type JobResult struct {
	Outcome      mesh.JobOutcome
	OutputLength uint64
	SentAt       time.Time // by the node's clock; zero when the node does not set it
}

// EncodeJobFrame writes f. An f with no field set is an error.
func EncodeJobFrame(f JobFrame) ([]byte, error) {
	var unset bool
	b, err := build(systemv1.NewRootJobFrame, func(s systemv1.JobFrame, p *put) {
		switch {
		case f.Request != nil:
			r, err := s.NewRequest()
			p.do(err)
			if p.err == nil {
				p.do(r.SetEnvelope(f.Request.Envelope))
				p.do(r.SetVoucher(f.Request.Voucher))
				p.do(r.SetManifest(f.Request.Manifest))
				r.SetTimeoutNs(f.Request.Timeout.Nanoseconds())
			}
		case f.Input != nil:
			p.do(s.SetInput(f.Input))
		case f.Cancel:
			s.SetCancel()
		case f.Progress != nil:
			r, err := s.NewProgress()
			p.do(err)
			if p.err == nil {
				r.SetDone(f.Progress.Done)
				r.SetTotal(f.Progress.Total)
				r.SetCost(f.Progress.Cost)
			}
		case f.Result != nil:
			r, err := s.NewResult()
			p.do(err)
			if p.err == nil {
				putResult(r, p, f.Result)
			}
		case f.Output != nil:
			p.do(s.SetOutput(f.Output))
		default:
			unset = true
		}
	})
	if unset {
		return nil, fmt.Errorf("wire: empty job frame")
	}
	return b, err
}

func putResult(s systemv1.JobResult, p *put, r *JobResult) {
	o := r.Outcome
	p.do(s.SetJobId(o.JobID))
	s.SetCode(systemv1.JobCode(o.Code))
	p.do(s.SetMessage_(o.Message))
	p.do(s.SetReason(o.Reason))
	p.do(s.SetNode(string(o.Node)))
	s.SetOutputLength(r.OutputLength)
	p.do(s.SetOutputCid(o.OutputCID))
	s.SetCost(o.Cost)
	s.SetQueuedNs(o.Queued.Nanoseconds())
	s.SetRunNs(o.Run.Nanoseconds())
	p.do(s.SetReceipt(o.Receipt))
	s.SetCapsuleFetchedBytes(o.FetchedBytes)
	putSpans(p, s.NewSpans, o.Spans)
	s.SetSentAt(nanos(r.SentAt))
}

// DecodeJobFrame reads one frame. Errors match ErrMalformed.
func DecodeJobFrame(data []byte) (JobFrame, error) {
	var f JobFrame
	err := parse(data, systemv1.ReadRootJobFrame, func(s systemv1.JobFrame, g *get) {
		switch w := s.Which(); w {
		case systemv1.JobFrame_Which_request:
			r, err := s.Request()
			g.keep(err)
			f.Request = &JobRequest{
				Envelope: g.data(r.Envelope()),
				Voucher:  g.data(r.Voucher()),
				Manifest: g.data(r.Manifest()),
				Timeout:  time.Duration(r.TimeoutNs()),
			}
		case systemv1.JobFrame_Which_input:
			f.Input = notNil(g.data(s.Input()))
		case systemv1.JobFrame_Which_cancel:
			f.Cancel = true
		case systemv1.JobFrame_Which_progress:
			r, err := s.Progress()
			g.keep(err)
			f.Progress = &mesh.Progress{Done: r.Done(), Total: r.Total(), Cost: r.Cost()}
		case systemv1.JobFrame_Which_result:
			r, err := s.Result()
			g.keep(err)
			f.Result = getResult(r, g)
		case systemv1.JobFrame_Which_output:
			f.Output = notNil(g.data(s.Output()))
		default:
			g.keep(fmt.Errorf("unknown job frame %d", w))
		}
	})
	if err != nil {
		return JobFrame{}, err
	}
	return f, nil
}

func getResult(s systemv1.JobResult, g *get) *JobResult {
	return &JobResult{
		Outcome: mesh.JobOutcome{
			JobID:        g.text(s.JobId()),
			Code:         mesh.JobCode(s.Code()),
			Message:      g.text(s.Message_()),
			Reason:       g.text(s.Reason()),
			Node:         identity.PeerID(g.text(s.Node())),
			OutputCID:    g.text(s.OutputCid()),
			Cost:         s.Cost(),
			Queued:       time.Duration(s.QueuedNs()),
			Run:          time.Duration(s.RunNs()),
			Receipt:      g.data(s.Receipt()),
			FetchedBytes: s.CapsuleFetchedBytes(),
			Spans:        getSpans(g)(s.Spans()),
		},
		OutputLength: s.OutputLength(),
		SentAt:       instant(s.SentAt()),
	}
}

// notNil distinguishes an empty chunk from an absent one.
func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
