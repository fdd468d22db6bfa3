// Package credit keeps the money of one node: accounts in double entry, holds,
// vouchers, receipts, cheques and what a peer's word is worth. It moves credits
// in memory and appends every movement to a Log before it acknowledges it; it
// opens no file, reads no clock and knows nothing of jobs beyond their ids. The
// kernel calls it around each paid job; governance asks it, through an interface
// of its own, whether a ledger pays.
//
// Amounts are integers of microcredits (1e-6 credit).
package credit
