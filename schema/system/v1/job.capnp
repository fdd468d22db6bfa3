# Jobs, what they need, and the frames of the stream protocol /inos/job/1.
@0xa5f30b8c7e21d694;

using Go = import "/go.capnp";
$Go.package("systemv1");
$Go.import("inos/schema/system/v1");

struct Job {
  id @0 :Text;               # UUIDv7
  capsule @1 :Text;          # CID of the capsule
  method @2 :Text;
  args @3 :List(Text);
  requirements @4 :Requirements;
  priority @5 :UInt8;        # 0 lowest, 255 highest
  deadline @6 :Int64;        # Unix nanoseconds, 0 means the policy's default
  inputLength @7 :UInt64;    # bytes that follow the request
  inputCid @8 :Text;
  budget @9 :UInt64;         # microcredits, the most this job may cost
}

struct Requirements {
  capabilities @0 :List(Text);
  geoPrefix @1 :Text;
  maxCost @2 :UInt64;        # microcredits per second; 0 means no ceiling
  exclude @3 :List(Text);    # peer ids never to choose
}

struct JobRequest {
  envelope @0 :Data;         # an Envelope whose payload is a Job
  voucher @1 :Data;          # a Signed credit voucher, empty when the ledger is known
  manifest @2 :Data;         # a Signed manifest of the capsule
}

enum JobCode {
  ok @0;
  rejected @1;       # governance said no: final; reason names the rule
  busy @2;           # no free slot: another node may do
  unknownCapsule @3; # the capsule could not be had
  badCapsule @4;     # the capsule was refused at spawn
  failed @5;         # the capsule answered with an error: final for this input
  crashed @6;        # the capsule died
  deadline @7;
  cancelled @8;
  internal @9;
  creditExhausted @10;
}

struct JobResult {
  jobId @0 :Text;
  code @1 :JobCode;
  message @2 :Text;
  reason @3 :Text;           # stable code of a rejection
  node @4 :Text;             # peer id
  outputLength @5 :UInt64;   # bytes that follow
  outputCid @6 :Text;
  cost @7 :UInt64;           # microcredits
  queuedNs @8 :Int64;
  runNs @9 :Int64;
  receipt @10 :Data;         # a Signed receipt
  capsuleFetchedBytes @11 :UInt64;  # bytes of capsule that had to travel for this job
}

struct Progress {
  done @0 :UInt64;
  total @1 :UInt64;
  cost @2 :UInt64;           # microcredits so far
}

# One frame of /inos/job/1. Caller: request, input*, [cancel]. Node: progress*,
# result, output*. Each frame is preceded by its length as an unsigned varint.
struct JobFrame {
  union {
    request @0 :JobRequest;
    input @1 :Data;
    cancel @2 :Void;
    progress @3 :Progress;
    result @4 :JobResult;
    output @5 :Data;
  }
}
