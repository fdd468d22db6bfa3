package governance

import "fmt"

// checkLengths bounds the job's own texts and lists. It allocates only to name a field.
func (r *ruleset) checkLengths(job *Job) *Rejection {
	req := &job.Requirements
	switch {
	case len(job.Capsule) > maxIDField:
		return r.long("capsule", len(job.Capsule), maxIDField)
	case len(job.Method) > maxIDField:
		return r.long("method", len(job.Method), maxIDField)
	case len(job.InputCID) > maxIDField:
		return r.long("inputCid", len(job.InputCID), maxIDField)
	case len(req.GeoPrefix) > maxGeoPrefix:
		return r.long("geoPrefix", len(req.GeoPrefix), maxGeoPrefix)
	case len(job.Args) > maxArgs:
		return r.many("args", len(job.Args), maxArgs)
	case len(req.Capabilities) > maxListItems:
		return r.many("capabilities", len(req.Capabilities), maxListItems)
	case len(req.Exclude) > maxListItems:
		return r.many("exclude", len(req.Exclude), maxListItems)
	}
	total := 0
	for _, a := range job.Args {
		total += len(a)
	}
	if total > maxArgBytes {
		return r.long("args", total, maxArgBytes)
	}
	for _, s := range req.Exclude {
		if len(s) > maxIDField {
			return r.long("exclude", len(s), maxIDField)
		}
	}
	return nil
}

// longMetadata returns the name of the field of m that is too long.
func (r *ruleset) longMetadata(m *Metadata) *Rejection {
	for _, f := range []struct {
		name, text string
		most       int
	}{
		{"moduleId", m.ModuleID, maxIDField}, {"userId", m.UserID, maxIDField}, {"deviceId", m.DeviceID, maxIDField},
		{"authToken", m.AuthToken, maxAuthToken}, {"traceState", m.TraceState, maxTraceState}, {"traceParent", m.TraceParent, maxIDField},
	} {
		if len(f.text) > f.most {
			return r.long(f.name, len(f.text), f.most)
		}
	}
	return nil
}

func (r *ruleset) long(field string, n, most int) *Rejection {
	return reject(ErrFieldTooLong, r.policy.Version, fmt.Sprintf("%s of %d bytes, at most %d", field, n, most))
}

func (r *ruleset) many(field string, n, most int) *Rejection {
	return reject(ErrFieldTooLong, r.policy.Version, fmt.Sprintf("%d %s, at most %d", n, field, most))
}
