package kernel

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/mesh"
	"inos/internal/testkit"
)

// A caller that sends another capsule than the job's, in order by itself, gets neither
// run nor kept.
func TestAnotherCapsuleThanTheJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		server := w.start("server", nil)
		sub := submission("x", nil)
		other := append([]byte(nil), testWasm...)
		other[len(other)-1]++
		fetch := func(context.Context, mesh.FetchCall) (mesh.Blob, error) {
			return mesh.Blob{Manifest: capsule.Manifest{CID: capsule.SumCID(other)}, Wasm: other}, nil
		}
		out := server.HandleJob(t.Context(), testkit.NamedPeer("caller"), mesh.JobCall{Envelope: sub.Envelope, Job: sub.Job, Input: sub.Input}, fetch, nil)
		require.Equal(t, mesh.JobUnknownCapsule, out.Code, out.Message)
		require.False(t, server.blobs.Has(capsule.SumCID(other)))
		require.Zero(t, server.capsules.runs.Load())
	})
}

// The deadline of a job of another node ends it here too, whatever its caller does, at
// every stage.
func TestTheDeadlineOfOthersJobs(t *testing.T) {
	for stage, call := range map[string]func(s *Submission) (mesh.JobCall, mesh.FetchFunc){
		"run": func(s *Submission) (mesh.JobCall, mesh.FetchFunc) {
			s.Job.Args = []string{"1h"}
			return mesh.JobCall{Input: s.Input}, func(context.Context, mesh.FetchCall) (mesh.Blob, error) { return testBlob(), nil }
		},
		"fetch": func(s *Submission) (mesh.JobCall, mesh.FetchFunc) {
			return mesh.JobCall{Input: s.Input}, func(ctx context.Context, _ mesh.FetchCall) (mesh.Blob, error) {
				<-ctx.Done()
				return mesh.Blob{}, ctx.Err()
			}
		},
		"input": func(s *Submission) (mesh.JobCall, mesh.FetchFunc) {
			return mesh.JobCall{Body: func(ctx context.Context) ([]byte, error) { <-ctx.Done(); return nil, ctx.Err() }}, nil
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			server := w.start("server", nil)
			sub := submission("x", func(s *Submission) { s.Job.Deadline = time.Now().Add(2 * time.Second) })
			jc, fetch := call(&sub)
			jc.Envelope, jc.Job = sub.Envelope, sub.Job
			began := time.Now()
			out := server.HandleJob(t.Context(), testkit.NamedPeer("caller"), jc, fetch, func(mesh.Progress) {})
			require.Equal(t, mesh.JobDeadline, out.Code, "%s: %s", stage, out.Message)
			require.Equal(t, 2*time.Second, time.Since(began), stage)
		})
	}
}
