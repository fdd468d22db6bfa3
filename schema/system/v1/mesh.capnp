# What nodes say about themselves and how capsules travel between them.
@0xc94d16e8f0a27b35;

using Go = import "/go.capnp";
$Go.package("systemv1");
$Go.import("inos/schema/system/v1");

using Orchestration = import "orchestration.capnp";

# Travels in a Signed of domain "inos/profile/1", by the node's own key.
struct NodeProfile {
  peerId @0 :Text;
  capabilities @1 :List(Text);
  geoHash @2 :Text;
  latencyNs @3 :Int64;       # as measured by the node to its nearest peers; callers measure their own
  creditCost @4 :UInt64;     # microcredits per second of capsule time
  freeSlots @5 :UInt32;
  queueLength @6 :UInt32;
  expires @7 :Int64;         # Unix nanoseconds of the node's clock
  sequence @8 :UInt64;       # counts up; an older one is a replay
  addrs @9 :List(Text);      # multiaddrs
  coordinate @10 :Coordinate;
  name @11 :Text;            # for people; never used to decide
  kind @12 :Text;            # "native" or "browser"
  ownership @13 :Data;       # Signed of domain "inos/owner/1": the owner's word that peerId is theirs; empty: the node's own
  issued @14 :Int64;         # Unix nanoseconds of the node's clock as it signed this: good for expires - issued
}

# A Vivaldi network coordinate (Dabek et al., SIGCOMM 2004), units of seconds.
struct Coordinate {
  vec @0 :List(Float64);
  error @1 :Float64;
  adjustment @2 :Float64;
  height @3 :Float64;
}

# Travels in a Signed of domain "inos/manifest/1", by the publisher's key.
struct CapsuleManifest {
  cid @0 :Text;
  name @1 :Text;
  abiVersion @2 :UInt32;
  size @3 :UInt64;           # bytes
  capabilities @4 :List(Text);  # what the capsule may use
  memoryLimit @5 :UInt64;    # bytes
  timeLimitNs @6 :Int64;     # per job
  methods @7 :List(Text);
  chunkSize @8 :UInt32;
  chunks @9 :List(Data);     # SHA-256 of each chunk, in order
}

# One frame of /inos/capsule/1, preceded by its length as an unsigned varint.
# The side that needs a capsule asks with an Envelope of type capsule:fetch:v1 whose
# payload is a CapsuleWant; the side that has it answers: have {manifest}, chunk*, or
# missing.
struct CapsuleFrame {
  union {
    want @0 :CapsuleWant;    # not sent: it travels in the Envelope
    have @1 :CapsuleHave;
    chunk @2 :CapsuleChunk;
    missing @3 :Text;        # the CID
  }
}

struct CapsuleWant {
  cid @0 :Text;
  fromChunk @1 :UInt32;      # resume here
}

struct CapsuleHave {
  manifest @0 :Data;         # a Signed CapsuleManifest
}

struct CapsuleChunk {
  index @0 :UInt32;
  data @1 :Data;
}

# The payload of the Envelope that opens /inos/feed/1.
struct FeedRequest {
  capsuleId @0 :Text;
  window @1 :UInt32;         # how far the caller stays ahead of the last taken, in bytes; 0: as QUIC lets it
}

# What a node answers on /inos/feed/1, each frame preceded by its length as an
# unsigned varint. Caller: one frame with an Envelope, then the bytes of the stream
# as they are, to the end of its side. Node: taken*, end. A taken comes at least
# every few seconds, also while the capsule is congested and nothing is read.
struct FeedFrame {
  union {
    taken @0 :UInt64;        # bytes that are in the capsule by now
    end @1 :FeedEnd;
  }
}

struct FeedEnd {
  code @0 :Orchestration.ReplyCode;
  reason @1 :Text;           # stable code of what ended the stream; empty when it went well
  message @2 :Text;
  taken @3 :UInt64;          # bytes that reached the capsule
}

# The payload of the Envelope that opens /inos/call/1: a job for one spawned instance.
# The frames are those of /inos/job/1 (JobFrame).
struct CallRequest {
  capsuleId @0 :Text;        # its id on the node asked; its spawner alone may
  method @1 :Text;
  args @2 :List(Text);
  inputLength @3 :UInt64;    # bytes that follow the request
  timeoutNs @4 :Int64;       # how long the caller waits from now on; 0: as long as the node lets it
}
