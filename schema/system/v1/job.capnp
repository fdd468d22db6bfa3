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
  deadline @6 :Int64;        # Unix nanoseconds, 0 means the policy's default, or none
  inputLength @7 :UInt64;    # bytes that follow the request
  inputCid @8 :Text;
  budget @9 :UInt64;         # microcredits, the most this job may cost, on each node
  replicas @10 :UInt8;       # nodes that run it; 0 and 1 mean one
  agree @11 :UInt8;          # of them must return the same output; 0 means more than half
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
  timeoutNs @3 :Int64;       # how long the job has from now on, whatever its deadline says: clocks
                             # differ; 0 means that there is only the deadline
}

# JobCode says how a job ended on its node.
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
  spans @12 :List(Span);     # what the node did for this job, when
  sentAt @13 :Int64;         # Unix nanoseconds of the node's clock as this left it
}

# One piece of work within a trace (W3C Trace Context). A list of them is also what
# /inos/trace/1 carries.
struct Span {
  traceId @0 :Data;          # 16 bytes
  spanId @1 :Data;           # 8 bytes
  parentId @2 :Data;         # 8 bytes; empty for a root
  name @3 :Text;
  node @4 :Text;             # peer id; the receiver puts the sender's own
  jobId @5 :Text;
  start @6 :Int64;           # Unix nanoseconds of the node's clock
  durationNs @7 :Int64;
  code @8 :Text;             # empty when it went well
}

# One message of /inos/trace/1: spans on their way to a node that exports them.
struct SpanBatch {
  spans @0 :List(Span);
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
