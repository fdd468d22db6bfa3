package wire

import (
	"fmt"

	"inos/internal/governance"
	systemv1 "inos/schema/system/v1"
)

// JobTypeID is the Payload.TypeID of an envelope that carries a Job.
const JobTypeID uint64 = systemv1.Job_TypeID

// EncodeJob writes the payload of a job's envelope.
func EncodeJob(j governance.Job) ([]byte, error) {
	return build(systemv1.NewRootJob, func(s systemv1.Job, p *put) {
		p.do(s.SetId(j.ID))
		p.do(s.SetCapsule(j.Capsule))
		p.do(s.SetMethod(j.Method))
		p.texts(s.NewArgs, j.Args)
		r, err := s.NewRequirements()
		p.do(err)
		if p.err == nil {
			p.texts(r.NewCapabilities, j.Requirements.Capabilities)
			p.do(r.SetGeoPrefix(j.Requirements.GeoPrefix))
			r.SetMaxCost(j.Requirements.MaxCost)
			p.texts(r.NewExclude, j.Requirements.Exclude)
		}
		s.SetPriority(j.Priority)
		s.SetDeadline(nanos(j.Deadline))
		s.SetInputLength(j.InputLength)
		p.do(s.SetInputCid(j.InputCID))
		s.SetBudget(j.Budget)
		s.SetReplicas(j.Replicas)
		s.SetAgree(j.Agree)
	})
}

// DecodeJob reads the payload of a job's envelope. Errors match ErrMalformed.
func DecodeJob(data []byte) (governance.Job, error) {
	var j governance.Job
	err := parse(data, systemv1.ReadRootJob, func(s systemv1.Job, g *get) {
		r, err := s.Requirements()
		g.keep(err)
		j = governance.Job{
			ID:      g.text(s.Id()),
			Capsule: g.text(s.Capsule()),
			Method:  g.text(s.Method()),
			Args:    g.texts(s.Args()),
			Requirements: governance.Requirements{
				Capabilities: g.texts(r.Capabilities()),
				GeoPrefix:    g.text(r.GeoPrefix()),
				MaxCost:      r.MaxCost(),
				Exclude:      g.texts(r.Exclude()),
			},
			Priority:    s.Priority(),
			Deadline:    instant(s.Deadline()),
			InputLength: s.InputLength(),
			InputCID:    g.text(s.InputCid()),
			Budget:      s.Budget(),
			Replicas:    s.Replicas(),
			Agree:       s.Agree(),
		}
	})
	if err != nil {
		return governance.Job{}, err
	}
	return j, nil
}

// WithJob returns env with job as its payload.
func WithJob(env governance.Envelope, job governance.Job) (governance.Envelope, error) {
	data, err := EncodeJob(job)
	if err != nil {
		return governance.Envelope{}, err
	}
	env.Payload = governance.Payload{TypeID: JobTypeID, Data: data}
	return env, nil
}

// JobOf returns the job in env's payload. Errors match ErrMalformed.
func JobOf(env governance.Envelope) (governance.Job, error) {
	if env.Payload.TypeID != JobTypeID {
		return governance.Job{}, fmt.Errorf("%w: payload type %#x is not a Job", ErrMalformed, env.Payload.TypeID)
	}
	return DecodeJob(env.Payload.Data)
}
