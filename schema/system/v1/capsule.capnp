# What travels in a capsule's two rings besides LifecycleCmd, LifecycleReply and
# HealthHeartbeat. Each frame's 16-bit kind says which struct its payload is
# (docs/capsules.md has the table).
@0xb8e04d7a6c3f1295;

using Go = import "/go.capnp";
$Go.package("systemv1");
$Go.import("inos/schema/system/v1");

# kernel -> capsule: make room for bytes of input.
struct ReserveCmd {
  ticket @0 :UInt64;
  bytes @1 :UInt64;
}

# capsule -> kernel: the room, or why not.
struct ReserveReply {
  ticket @0 :UInt64;
  code @1 :ReserveCode;
  offset @2 :UInt64;   # byte offset in the capsule's memory, 8-byte aligned
  length @3 :UInt64;
}

enum ReserveCode {
  ok @0;
  noMemory @1;
}

# kernel -> capsule: do one job. The input lies in the capsule's memory at
# inputOffset, in a region a ReserveReply handed out; the capsule frees it after.
struct RunCmd {
  ticket @0 :UInt64;
  method @1 :Text;
  args @2 :List(Text);
  inputOffset @3 :UInt64;
  inputLength @4 :UInt64;
}

# capsule -> kernel: the job's end. The output stays in place until the kernel
# sends ReleaseCmd.
struct RunReply {
  ticket @0 :UInt64;
  code @1 :RunCode;
  message @2 :Text;
  outputOffset @3 :UInt64;
  outputLength @4 :UInt64;
}

# RunCode says how a job in a capsule ended.
enum RunCode {
  ok @0;
  unknownMethod @1;
  badInput @2;
  failed @3;
  noMemory @4;
}

# kernel -> capsule: the output of this ticket has been copied out.
struct ReleaseCmd {
  ticket @0 :UInt64;
}

# capsule -> kernel.
struct LogEvent {
  level @0 :Int8;      # -4 debug, 0 info, 4 warn, 8 error, as in log/slog
  text @1 :Text;
  ticket @2 :UInt64;   # 0 when outside a job
}

struct ProgressEvent {
  ticket @0 :UInt64;
  done @1 :UInt64;
  total @2 :UInt64;    # 0 when unknown
}
