# What a node allows: the rules that governance applies to jobs, capsules and
# lifecycle commands. People read and write the text form (inos policy show); this
# is what is signed and stored. Zero figures and empty lists mean the default that
# internal/governance documents.
@0xc4f1a86d20e7593b;

using Go = import "/go.capnp";
$Go.package("systemv1");
$Go.import("inos/schema/system/v1");

using Orchestration = import "orchestration.capnp";

# Domain "inos/policy/1", signed by a key that the node was told to obey.
struct Policy {
  version @0 :UInt64;              # counts up; a lower one never replaces a higher
  name @1 :Text;
  issued @2 :Int64;                # Unix nanoseconds, 0 means not stated
  require @3 :List(MetadataField); # must not be empty, besides creditLedgerId
  maxSkewNs @4 :Int64;             # how far a timestamp may lie ahead
  maxAgeNs @5 :Int64;              # how far it may lie back
  publishers @6 :List(Text);       # peer ids; none means any
  capsules @7 :List(Text);         # CIDs; none means any
  denyCapsules @8 :List(Text);
  budget @9 :UInt64;               # microcredits a job may cost
  priority @10 :UInt8;             # highest allowed
  defaultDeadlineNs @11 :Int64;
  maxDeadlineNs @12 :Int64;
  rate @13 :Rate;                  # per ledger
  concurrency @14 :UInt32;         # jobs of one ledger at a time
  ledgers @15 :List(LedgerRule);
  capabilities @16 :List(Text);    # none means any
  denyCapabilities @17 :List(Text);
  maxMemory @18 :UInt64;           # bytes a capsule may declare
  maxRunNs @19 :Int64;
  residency @20 :List(Text);       # GeoHash prefixes jobs must stay in
  lifecycle @21 :List(LifecycleRule);
  quiet @22 :List(QuietHours);
}

enum MetadataField {
  moduleId @0;
  userId @1;
  deviceId @2;
  traceParent @3;
  authToken @4;
}

# A token bucket.
struct Rate {
  perMinute @0 :UInt32;  # 0 means no limit
  burst @1 :UInt32;      # 0 means 1
}

# Figures for one ledger; 0 leaves the policy's.
struct LedgerRule {
  ledger @0 :Text;
  deny @1 :Bool;
  budget @2 :UInt64;     # microcredits
  rate @3 :Rate;
  concurrency @4 :UInt32;
}

struct LifecycleRule {
  peer @0 :Text;         # empty means anybody
  commands @1 :List(Orchestration.CommandType);  # none means all
}

# Jobs below minPriority are refused between from and to, minutes of the day in
# UTC shifted by offsetMinutes; from > to wraps past midnight.
struct QuietHours {
  from @0 :UInt16;
  to @1 :UInt16;
  offsetMinutes @2 :Int16;
  minPriority @3 :UInt8; # 0 means that only 255 gets through
}
