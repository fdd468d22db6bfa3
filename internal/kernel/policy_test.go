package kernel

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/kernel/lifecycle"
	"inos/internal/mesh"
	"inos/internal/testkit"
)

// withPolicy lets a kernel live under a policy that pays for "payer".
func withPolicy(t *testing.T, p governance.Policy) (*governance.Gate, func(*Config)) {
	gate, err := governance.New(governance.Config{Policy: p, Ledgers: testkit.Balances{testkit.NamedLedger("payer"): 1_000_000}})
	require.NoError(t, err)
	return gate, func(c *Config) { c.Gate = gate }
}

// anybody may send lifecycle commands to a node under this policy.
var anybody = []governance.LifecycleRule{{}}

// module is the smallest thing that Inspect takes for a capsule: an imported shared
// memory, and the two exports.
func module(t *testing.T) []byte {
	wasm := []byte("\x00asm\x01\x00\x00\x00" +
		"\x01\x04\x01\x60\x00\x00" + // type () -> ()
		"\x02\x11\x01\x03env\x06memory\x02\x03\x02\x80\x20" + // env.memory, shared, 2 to 4096 pages
		"\x03\x02\x01\x00" + // one function
		"\x06\x06\x01\x7f\x00\x41\x00\x0b" + // one global
		"\x07\x1b\x02\x08inos_run\x00\x00\x0cinos_control\x03\x00" +
		"\x0a\x04\x01\x02\x00\x0b")
	_, err := capsule.Inspect(wasm)
	require.NoError(t, err)
	return wasm
}

// What the policy does not let run is not spawned, however it comes.
func TestSpawnUnderPolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		home := w.start("home", nil)
		wasm := module(t)
		cid := capsule.SumCID(wasm)
		gate, strict := withPolicy(t, governance.Policy{Version: 1, Lifecycle: anybody})
		server := w.start("server", strict)
		w.meet(home, server)
		require.NoError(t, server.blobs.Accept(mesh.Blob{Manifest: capsule.Manifest{CID: cid}, Publisher: testkit.NamedPeer("stranger"), Wasm: wasm}))
		spawn := func(s capsule.SpawnParams) capsule.Reply {
			r, err := home.Command(t.Context(), server.Self(), capsule.Command{ID: "1", Type: capsule.Spawn, Spawn: &s})
			require.NoError(t, err)
			return r
		}
		image := (&capsule.Image{CapsuleCID: cid, ABI: capsule.ABIVersion, Epoch: 1, MemoryBytes: capsule.PageSize}).Encode(false)
		forms := map[string]capsule.SpawnParams{
			"by CID":        {CID: cid.String()},
			"as bytes":      {Wasm: wasm},
			"in a snapshot": {Wasm: image},
		}
		for form, s := range forms {
			require.Equal(t, capsule.OK, spawn(s).Code, form)
		}
		begun := len(server.capsules.commands)
		require.Equal(t, 3, begun)

		require.NoError(t, gate.Replace(governance.Policy{Version: 2, Lifecycle: anybody, DenyCapsules: []capsule.CID{cid}}))
		for form, s := range forms {
			r := spawn(s)
			require.Equal(t, capsule.Denied, r.Code, form)
			require.Contains(t, r.Message, "capsule is not allowed", form)
		}
		require.NoError(t, gate.Replace(governance.Policy{Version: 3, Lifecycle: anybody, Publishers: peers("home")}))
		require.Equal(t, capsule.Denied, spawn(forms["by CID"]).Code, "a stranger has published it")
		require.Equal(t, capsule.OK, spawn(forms["as bytes"]).Code, "these bytes are home's word")
		require.NoError(t, gate.Replace(governance.Policy{Version: 4, Lifecycle: anybody, MaxMemory: 1 << 20}))
		require.Equal(t, capsule.Denied, spawn(forms["as bytes"]).Code, "it declares 256 MiB")
		require.Len(t, server.capsules.commands, begun+1)
	})
}

// The policy is asked before each run: a capsule that is here already has no claim.
func TestRunUnderPolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		gate, strict := withPolicy(t, governance.Policy{Version: 1, MaxRun: 2 * time.Second})
		home := w.start("home", strict)
		blob := testBlob()
		blob.Manifest.TimeLimit, blob.Publisher = 0, home.Self()
		require.NoError(t, home.blobs.Accept(blob))
		_, err := home.Dispatch(t.Context(), submission("x", nil))
		require.NoError(t, err)

		began := time.Now()
		_, err = home.Dispatch(t.Context(), submission("x", func(s *Submission) { s.Job.Args = []string{"30s"} }))
		require.Error(t, err)
		require.Equal(t, 2*time.Second, time.Since(began), "the policy's time, where the manifest leaves it open")

		runs := home.capsules.runs.Load()
		for version, p := range []governance.Policy{
			{DenyCapsules: []capsule.CID{blob.Manifest.CID}},
			{Publishers: peers("somebody else")},
			{MaxMemory: 1 << 10},
		} {
			if p.MaxMemory > 0 {
				blob.Manifest.MemoryLimit = 1 << 20
				require.NoError(t, home.blobs.Accept(blob))
			}
			p.Version = uint64(version) + 2
			require.NoError(t, gate.Replace(p))
			_, err := home.Dispatch(t.Context(), submission("x", nil))
			require.Error(t, err)
			require.Equal(t, runs, home.capsules.runs.Load(), "%v", err)
		}
	})
}

// Data stays where the policy says: jobs on nodes of that place, and a node of
// another place says so itself; capsules and streams go to no node elsewhere.
func TestResidency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		_, here := withPolicy(t, governance.Policy{Residency: []string{"u33"}, Lifecycle: anybody})
		home := w.start("home", func(c *Config) { here(c); c.Slots = -1 })
		far := w.start("far", func(c *Config) { c.GeoHash = "9q8yy" })
		near := w.start("near", func(c *Config) { c.GeoHash = "u33db"; c.Gate = home.cfg.Gate })
		w.meet(home, far)
		w.meet(home, near)
		require.NoError(t, home.blobs.Accept(testBlob()))
		time.Sleep(time.Minute)

		sub := submission("x", func(s *Submission) { s.Job.Requirements.GeoPrefix = "u33" })
		out, err := home.Dispatch(t.Context(), sub)
		require.NoError(t, err)
		require.Equal(t, near.Self(), out.Node)
		_, err = home.Dispatch(t.Context(), submission("x", nil))
		require.ErrorIs(t, err, governance.ErrResidency)

		lied := submission("x", func(s *Submission) { s.Job.Requirements.GeoPrefix = "u33" })
		served := far.HandleJob(t.Context(), home.Self(), mesh.JobCall{Envelope: lied.Envelope, Job: lied.Job, Input: lied.Input}, nil, nil)
		require.Equal(t, mesh.JobBusy, served.Code)
		require.Equal(t, "requirements", served.Reason)
		require.Zero(t, far.capsules.runs.Load())

		spawn := capsule.Command{ID: "1", Type: capsule.Spawn, Spawn: &capsule.SpawnParams{CID: "c"}}
		_, err = home.Command(t.Context(), far.Self(), spawn)
		require.ErrorIs(t, err, lifecycle.ErrDenied)
		r, err := home.Command(t.Context(), near.Self(), spawn)
		require.NoError(t, err)
		require.Equal(t, capsule.OK, r.Code)
		_, err = home.Feed(t.Context(), far.Self(), "c", nil, lifecycle.FeedOptions{})
		require.ErrorIs(t, err, lifecycle.ErrDenied)
	})
}

// Of a job that is not admitted, or has no slot, the input is never asked for.
func TestInputWaitsForAdmission(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		server := w.start("server", func(c *Config) { c.Slots = 1 })
		require.NoError(t, server.blobs.Accept(testBlob()))
		asked := 0
		serve := func(sub Submission) mesh.JobOutcome {
			return server.HandleJob(t.Context(), testkit.NamedPeer("other"), mesh.JobCall{Envelope: sub.Envelope, Job: sub.Job,
				Body: func(context.Context) ([]byte, error) { asked++; return sub.Input, nil }}, nil, func(mesh.Progress) {})
		}
		out := serve(submission("x", func(s *Submission) { s.Envelope.Metadata.CreditLedgerID = "" }))
		require.Equal(t, "ledger_missing", out.Reason)
		out = serve(submission("x", needs("gpu")))
		require.Equal(t, mesh.JobBusy, out.Code)
		require.Zero(t, asked)
		require.Equal(t, mesh.JobOK, serve(submission("x", nil)).Code)
		require.Equal(t, 1, asked)

		broken := submission("x", nil)
		out = server.HandleJob(t.Context(), testkit.NamedPeer("other"), mesh.JobCall{Envelope: broken.Envelope, Job: broken.Job,
			Body: func(context.Context) ([]byte, error) { return nil, mesh.ErrUnreachable }}, nil, func(mesh.Progress) {})
		require.Equal(t, mesh.JobRejected, out.Code)
		require.Equal(t, mesh.JobOK, serve(submission("x", nil)).Code, "the slot came back")
	})
}

func peers(seeds ...string) (ids []identity.PeerID) {
	for _, s := range seeds {
		ids = append(ids, testkit.NamedPeer(s))
	}
	return ids
}
