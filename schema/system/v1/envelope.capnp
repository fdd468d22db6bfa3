# The Metadata DNA: every job, and every message that crosses a node boundary,
# travels in an Envelope.
@0xe1c6f2095ab7d843;

using Go = import "/go.capnp";
$Go.package("systemv1");
$Go.import("inos/schema/system/v1");

struct Envelope {
  id @0 :Text;          # UUIDv7
  type @1 :Text;        # "service:action:v1"
  timestamp @2 :Int64;  # Unix nanoseconds
  metadata @3 :Metadata;
  payload @4 :Payload;
  version @5 :UInt32;
  sentAt @6 :Int64;     # Unix nanoseconds of the sender's clock as this left it, so that the receiver
                        # can tell how far that clock is from its own; 0 from one that does not say
}

struct Metadata {
  moduleId @0 :Text;
  userId @1 :Text;
  deviceId @2 :Text;
  traceParent @3 :Text;   # W3C Trace Context
  traceState @4 :Text;
  authToken @5 :Text;
  creditLedgerId @6 :Text;
  version @7 :UInt32;
}

struct Payload {
  typeId @0 :UInt64;    # the Cap'n Proto type id of data's root struct; 0 means opaque bytes
  data @1 :Data;
}

# A message and the Ed25519 signature over it. What is signed is the domain's
# bytes, a zero byte, then payload: a signature for one domain is void in another.
struct Signed {
  domain @0 :Text;      # for example "inos/profile/1"
  payload @1 :Data;
  publicKey @2 :Data;   # 32 bytes
  signature @3 :Data;   # 64 bytes
}
