package wire

import (
	"crypto/ed25519"
	"fmt"
	"time"

	"inos/internal/capsule"
	"inos/internal/governance"
	"inos/internal/identity"
	systemv1 "inos/schema/system/v1"
)

// Policies is the governance.PolicyCodec of schema/system/v1. The zero value works.
type Policies struct{}

var _ governance.PolicyCodec = Policies{}

// SealPolicy implements governance.PolicyCodec.
func (Policies) SealPolicy(p governance.Policy, key ed25519.PrivateKey) ([]byte, error) {
	return seal(DomainPolicy, key)(build(systemv1.NewRootPolicy, func(s systemv1.Policy, w *put) { putPolicy(s, w, p) }))
}

func putPolicy(s systemv1.Policy, w *put, p governance.Policy) {
	s.SetVersion(p.Version)
	w.do(s.SetName(p.Name))
	s.SetIssued(nanos(p.Issued))
	fields, err := s.NewRequire(int32(len(p.Require)))
	w.do(err)
	for i := 0; i < len(p.Require) && w.err == nil; i++ {
		fields.Set(i, systemv1.MetadataField(p.Require[i]))
	}
	s.SetMaxSkewNs(p.MaxSkew.Nanoseconds())
	s.SetMaxAgeNs(p.MaxAge.Nanoseconds())
	w.texts(s.NewPublishers, textsOf(p.Publishers))
	w.texts(s.NewCapsules, cidTexts(p.Capsules))
	w.texts(s.NewDenyCapsules, cidTexts(p.DenyCapsules))
	s.SetBudget(p.Budget)
	s.SetPriority(p.Priority)
	s.SetDefaultDeadlineNs(p.DefaultDeadline.Nanoseconds())
	s.SetMaxDeadlineNs(p.MaxDeadline.Nanoseconds())
	putRate(s.NewRate, w, p.Rate)
	s.SetConcurrency(uint32(p.Concurrency))
	ledgers, err := s.NewLedgers(int32(len(p.Ledgers)))
	w.do(err)
	for i := 0; i < len(p.Ledgers) && w.err == nil; i++ {
		r, l := p.Ledgers[i], ledgers.At(i)
		w.do(l.SetLedger(string(r.Ledger)))
		l.SetDeny(r.Deny)
		l.SetBudget(r.Budget)
		l.SetConcurrency(uint32(r.Concurrency))
		putRate(l.NewRate, w, r.Rate)
	}
	w.texts(s.NewCapabilities, p.Capabilities)
	w.texts(s.NewDenyCapabilities, p.DenyCapabilities)
	s.SetMaxMemory(p.MaxMemory)
	s.SetMaxRunNs(p.MaxRun.Nanoseconds())
	w.texts(s.NewResidency, p.Residency)
	lifecycle, err := s.NewLifecycle(int32(len(p.Lifecycle)))
	w.do(err)
	for i := 0; i < len(p.Lifecycle) && w.err == nil; i++ {
		r, l := p.Lifecycle[i], lifecycle.At(i)
		w.do(l.SetPeer(string(r.Peer)))
		commands, err := l.NewCommands(int32(len(r.Commands)))
		w.do(err)
		for j := 0; j < len(r.Commands) && w.err == nil; j++ {
			commands.Set(j, systemv1.CommandType(r.Commands[j]))
		}
	}
	quiet, err := s.NewQuiet(int32(len(p.Quiet)))
	w.do(err)
	for i := 0; i < len(p.Quiet) && w.err == nil; i++ {
		q, l := p.Quiet[i], quiet.At(i)
		l.SetFrom(q.From)
		l.SetTo(q.To)
		l.SetOffsetMinutes(int16(q.Offset / time.Minute))
		l.SetMinPriority(q.MinPriority)
	}
}

func putRate(newRate func() (systemv1.Rate, error), w *put, r governance.Rate) {
	if r == (governance.Rate{}) || w.err != nil {
		return
	}
	s, err := newRate()
	w.do(err)
	if w.err == nil {
		s.SetPerMinute(r.PerMinute)
		s.SetBurst(r.Burst)
	}
}

// OpenPolicy implements governance.PolicyCodec.
func (Policies) OpenPolicy(data []byte) (p governance.Policy, signer identity.PeerID, err error) {
	signer, err = unseal(DomainPolicy, data, systemv1.ReadRootPolicy, func(s systemv1.Policy, g *get) {
		p = getPolicy(s, g)
	})
	return p, signer, err
}

func getPolicy(s systemv1.Policy, g *get) governance.Policy {
	p := governance.Policy{
		Version:          s.Version(),
		Name:             g.text(s.Name()),
		Issued:           instant(s.Issued()),
		MaxSkew:          time.Duration(s.MaxSkewNs()),
		MaxAge:           time.Duration(s.MaxAgeNs()),
		Publishers:       peersOf(g.texts(s.Publishers())),
		Capsules:         g.cids(g.texts(s.Capsules())),
		DenyCapsules:     g.cids(g.texts(s.DenyCapsules())),
		Budget:           s.Budget(),
		Priority:         s.Priority(),
		DefaultDeadline:  time.Duration(s.DefaultDeadlineNs()),
		MaxDeadline:      time.Duration(s.MaxDeadlineNs()),
		Rate:             g.rate(s.Rate()),
		Concurrency:      int(s.Concurrency()),
		Capabilities:     g.texts(s.Capabilities()),
		DenyCapabilities: g.texts(s.DenyCapabilities()),
		MaxMemory:        s.MaxMemory(),
		MaxRun:           time.Duration(s.MaxRunNs()),
		Residency:        g.texts(s.Residency()),
	}
	fields, err := s.Require()
	g.keep(err)
	for i := range fields.Len() {
		p.Require = append(p.Require, governance.Field(fields.At(i)))
		if fields.At(i) > systemv1.MetadataField_authToken {
			g.keep(fmt.Errorf("unknown metadata field %d", fields.At(i)))
		}
	}
	ledgers, err := s.Ledgers()
	g.keep(err)
	for i := range ledgers.Len() {
		l := ledgers.At(i)
		p.Ledgers = append(p.Ledgers, governance.LedgerRule{Ledger: identity.LedgerID(g.text(l.Ledger())), Deny: l.Deny(),
			Budget: l.Budget(), Rate: g.rate(l.Rate()), Concurrency: int(l.Concurrency())})
	}
	lifecycle, err := s.Lifecycle()
	g.keep(err)
	for i := range lifecycle.Len() {
		l := lifecycle.At(i)
		rule := governance.LifecycleRule{Peer: identity.PeerID(g.text(l.Peer()))}
		commands, err := l.Commands()
		g.keep(err)
		for j := range commands.Len() {
			rule.Commands = append(rule.Commands, capsule.CommandType(commands.At(j)))
		}
		p.Lifecycle = append(p.Lifecycle, rule)
	}
	quiet, err := s.Quiet()
	g.keep(err)
	for i := range quiet.Len() {
		q := quiet.At(i)
		p.Quiet = append(p.Quiet, governance.QuietHours{From: q.From(), To: q.To(),
			Offset: time.Duration(q.OffsetMinutes()) * time.Minute, MinPriority: q.MinPriority()})
	}
	return p
}

func (g *get) rate(s systemv1.Rate, err error) governance.Rate {
	g.keep(err)
	return governance.Rate{PerMinute: s.PerMinute(), Burst: s.Burst()}
}

func (g *get) cids(texts []string) []capsule.CID {
	var out []capsule.CID
	for _, t := range texts {
		cid, err := capsule.ParseCID(t)
		g.keep(err)
		out = append(out, cid)
	}
	return out
}

func cidTexts(cids []capsule.CID) []string {
	var out []string
	for _, c := range cids {
		out = append(out, c.String())
	}
	return out
}

func textsOf(peers []identity.PeerID) []string {
	var out []string
	for _, p := range peers {
		out = append(out, string(p))
	}
	return out
}

func peersOf(texts []string) []identity.PeerID {
	var out []identity.PeerID
	for _, t := range texts {
		out = append(out, identity.PeerID(t))
	}
	return out
}
