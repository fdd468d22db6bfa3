# How a kernel commands a capsule and hears from it. The same messages cross the
# shared-memory rings of a local capsule and a libp2p stream to a remote one.
#
# LifecycleCmd, CommandType, HealthHeartbeat and Status keep the names, ordinals
# and types of the orchestration schema that INOS shells already speak; fields
# and enumerants added here come after theirs.
@0xd2a7c51e90b34f61;

using Go = import "/go.capnp";
$Go.package("systemv1");
$Go.import("inos/schema/system/v1");

# CommandType says what a command does to a capsule.
enum CommandType {
  spawn @0;
  kill @1;
  pause @2;
  resume @3;
  snapshot @4;
  resizeMem @5;
  feed @6;                   # no command: in a policy, the right to stream into a capsule (/inos/feed/1)
}

struct LifecycleCmd {
  id @0 :Text;               # unique per caller; echoed by the reply
  type @1 :CommandType;
  targetCapsuleId @2 :Text;  # empty for spawn
  params @3 :Data;           # a Cap'n Proto message: the command's own params struct below
  timestamp @4 :Int64;       # Unix nanoseconds
  deadline @5 :Int64;        # Unix nanoseconds; 0 means the receiver's default
  timeoutNs @6 :Int64;       # between nodes, whose clocks differ: how long the caller waits from
                             # now on, instead of the deadline; 0 means that there is only that
}

# Status is what a capsule says of its own health.
enum Status {
  starting @0;
  healthy @1;
  degraded @2;
  zombie @3;
}

struct HealthHeartbeat {
  capsuleId @0 :Text;
  status @1 :Status;
  memoryUsage @2 :UInt64;    # bytes
  cpuTimeNs @3 :Int64;       # nanoseconds spent in jobs since spawn
  isCongested @4 :Bool;      # raised above 80 % of a ring, cleared below 50 %
  needsMoreMem @5 :Bool;
  sequence @6 :UInt64;       # counts up from 1 within one memory epoch
  memoryEpoch @7 :UInt32;
  paused @8 :Bool;
  jobsDone @9 :UInt64;
  wantedBytes @10 :UInt64;   # with needsMoreMem: the memory length that would do
}

struct SpawnParams {
  cid @0 :Text;              # the capsule; its bytes are fetched unless wasm is set
  wasm @1 :Data;             # here only: to another node a module goes by its cid
  memoryLimit @2 :UInt64;    # bytes; 0 means what the module declares
  capabilities @3 :List(Text); # what it may use: the node must have and allow them
  args @4 :List(Text);       # the capsule's, through all its restarts
  creditLedgerId @5 :Text;
  restart @6 :RestartPolicy;
  group @7 :Text;            # capsules that restart together; empty means alone
  strategy @8 :GroupStrategy;
}

# RestartPolicy says when a capsule that ended is started again (the restart types of
# Erlang/OTP's supervisor).
enum RestartPolicy {
  default @0;                # the receiver's
  permanent @1;              # whenever it ended
  transient @2;              # when it crashed
  temporary @3;              # never
}

# GroupStrategy says who is started again when a member of a group is (Erlang/OTP's names).
enum GroupStrategy {
  oneForOne @0;              # that member alone
  restForOne @1;             # and those spawned after it, in their order
}

struct KillParams {
  reason @0 :Text;
  graceNs @1 :Int64;         # how long a job in flight may go on; 0 means none
}

struct SnapshotParams {
  compress @0 :Bool = true;
}

struct ResizeMemParams {
  bytes @0 :UInt64;          # the new memory length wanted
}

# ReplyCode is the answer to a command.
enum ReplyCode {
  ok @0;
  refused @1;        # the receiver is alive and will not: final for this command
  unknownCapsule @2;
  invalidState @3;   # impossible in the state the capsule is in
  badParams @4;
  limit @5;          # resizeMem past the limit
  deadline @6;
  crashed @7;        # the capsule died with the command in flight
  unsupported @8;
  denied @9;         # the caller may not command this capsule
}

struct LifecycleReply {
  id @0 :Text;               # the command's
  code @1 :ReplyCode;
  message @2 :Text;
  capsuleId @3 :Text;        # spawn: the new capsule's id
  memoryBytes @4 :UInt64;    # the memory's length after the command
  memoryEpoch @5 :UInt32;
  snapshotCid @6 :Text;      # snapshot: the blob's CID
  timestamp @7 :Int64;
  reason @8 :Text;           # with another code than ok: the stable code of the error, if it has one
}
