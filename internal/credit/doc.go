// Package credit keeps the money of one node: accounts in double entry, credit holds, vouchers,
// receipts, cheques and the reputation of peers. It moves credits in memory and appends every
// transfer to a Log before it acknowledges it. It opens no file, reads no clock and knows
// nothing of jobs beyond their ids. The kernel calls it around each paid job. Governance asks
// it, through an interface of its own, whether a ledger pays.
//
// Amounts are integers of microcredits (1e-6 credit).
package credit
