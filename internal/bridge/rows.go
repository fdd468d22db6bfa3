package bridge

import (
	"time"

	"inos/internal/governance"
)

// More rows for console.table, of what is read now and then.

type offerView struct {
	Name   string `json:"name"`
	CID    string `json:"cid"`
	Bytes  uint64 `json:"bytes"`
	Loaded bool   `json:"loaded"`
}

type spanView struct {
	Name       string  `json:"name"`
	Node       string  `json:"node"`
	StartMs    float64 `json:"startMs"`
	DurationMs float64 `json:"durationMs"`
	Code       string  `json:"code"`
	Trace      string  `json:"trace"`
	Span       string  `json:"span"`
	Parent     string  `json:"parent"`
}

type balanceView struct {
	Ledger    string `json:"ledger"`
	Own       bool   `json:"own"`
	Balance   int64  `json:"balance"`
	Promised  uint64 `json:"promised"`
	Held      uint64 `json:"held"`
	Line      uint64 `json:"line"`
	Available uint64 `json:"available"`
	State     string `json:"state"`
}

type entryView struct {
	Entry  uint64 `json:"entry"`
	At     string `json:"at"`
	Kind   string `json:"kind"`
	Amount uint64 `json:"amount"`
	Cost   uint64 `json:"cost"`
	JobID  string `json:"jobId"`
	Ledger string `json:"ledger"`
	Payee  string `json:"payee"`
	Hash   string `json:"hash"`
}

type reportView struct {
	OK      bool   `json:"ok"`
	Entries uint64 `json:"entries"`
	Gone    uint64 `json:"gone"`
	Before  string `json:"before"`
	Head    string `json:"head"`
	Ledgers int    `json:"ledgers"`
	Held    uint64 `json:"held"`
	Holds   int    `json:"holds"`
	Owed    uint64 `json:"owed"`
	Granted uint64 `json:"granted"`
	Durable bool   `json:"durable"`
}

type decisionView struct {
	JobID         string `json:"jobId"`
	Admitted      bool   `json:"admitted"`
	Rule          string `json:"rule"`
	Code          string `json:"code"`
	Detail        string `json:"detail"`
	PolicyVersion uint64 `json:"policyVersion"`
	At            string `json:"at"`
	Ledger        string `json:"ledger"`
	From          string `json:"from"`
}

func viewDecision(d governance.Decision) decisionView {
	return decisionView{JobID: d.JobID, Admitted: d.Admitted(), Rule: d.Rule, Code: d.Code, Detail: d.Detail,
		PolicyVersion: d.PolicyVersion, At: d.At.Format(time.RFC3339Nano), Ledger: string(d.Ledger), From: string(d.From)}
}
