# Promises of payment and proofs of work. Both travel in a Signed.
@0x9b27e5d3f481c06a;

using Go = import "/go.capnp";
$Go.package("systemv1");
$Go.import("inos/schema/system/v1");

# Domain "inos/voucher/1", signed by the ledger's key.
struct Voucher {
  ledgerId @0 :Text;     # "ledger:" and the peer id of the signing key
  jobId @1 :Text;
  payee @2 :Text;        # peer id of the node that may be paid; empty means any
  maxAmount @3 :UInt64;  # microcredits
  expires @4 :Int64;     # Unix nanoseconds
  nonce @5 :Data;        # 16 random bytes; a nonce pays once
}

# Domain "inos/receipt/1", signed by the worker's key.
struct Receipt {
  jobId @0 :Text;
  ledgerId @1 :Text;
  worker @2 :Text;       # peer id
  capsuleCid @3 :Text;
  inputCid @4 :Text;
  outputCid @5 :Text;
  cost @6 :UInt64;       # microcredits
  startedAt @7 :Int64;   # Unix nanoseconds
  finishedAt @8 :Int64;
  voucherNonce @9 :Data;
  code @10 :UInt16;      # JobCode of the result
}

# Domain "inos/cheque/1", signed by the drawer's key. The figures are totals over
# all cheques from drawer to payee: a lost or repeated one does no harm.
struct Cheque {
  drawer @0 :Text;       # peer id
  payee @1 :Text;        # peer id
  sequence @2 :UInt64;   # counts up
  paid @3 :UInt64;       # microcredits promised by cheque, in total
  offset @4 :UInt64;     # microcredits set off against what payee owed drawer, in total
  issuedAt @5 :Int64;    # Unix nanoseconds
}
