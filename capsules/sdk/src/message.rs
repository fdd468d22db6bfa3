//! Cap'n Proto frames, plain on this side.

use crate::capsule_capnp as cap;
use crate::layout::{FRAME_COMMAND, FRAME_RELEASE, FRAME_RESERVE, FRAME_RUN};
use crate::orchestration_capnp as orc;
use alloc::string::String;
use alloc::vec::Vec;
use capnp::message::{Builder, HeapAllocator, Reader, ReaderOptions};
use capnp::serialize;

pub use crate::capsule_capnp::RunCode;
pub use crate::orchestration_capnp::{ReplyCode, Status};

/// What the host sends.
pub enum Incoming {
    Command(Command),
    Reserve { ticket: u64, bytes: u64 },
    Run(Run),
    Release { ticket: u64 },
}

pub struct Command {
    pub id: String,
    /// The capsule it is meant for.
    pub target: String,
    pub verb: Verb,
}

pub enum Verb {
    Pause,
    Resume,
    Kill {
        grace_ns: i64,
    },
    ResizeMem {
        bytes: u64,
    },
    /// One that a live capsule cannot carry out.
    Other,
}

pub struct Run {
    pub ticket: u64,
    pub method: String,
    pub args: Vec<String>,
    pub offset: u64,
    pub length: u64,
}

pub struct Heartbeat {
    pub capsule_id: String,
    pub status: Status,
    pub memory_usage: u64,
    pub cpu_time_ns: i64,
    pub congested: bool,
    pub sequence: u64,
    pub memory_epoch: u32,
    pub paused: bool,
    pub jobs_done: u64,
    /// 0: no more memory is needed.
    pub wanted_bytes: u64,
}

/// Reads a message of the host. The limits keep a damaged one from looping.
fn open(payload: &[u8]) -> capnp::Result<Reader<serialize::BufferSegments<&[u8]>>> {
    let mut options = ReaderOptions::new();
    options.nesting_limit(8).traversal_limit_in_words(Some(1 << 16));
    Ok(Reader::new(serialize::BufferSegments::new(payload, options)?, options))
}

/// The text of a field.
fn text(field: capnp::Result<capnp::text::Reader<'_>>) -> capnp::Result<String> {
    Ok(field?.to_str()?.into())
}

/// Reads a frame of `kind`. A command comes with the capsule id it is meant for.
pub fn decode(kind: u16, payload: &[u8]) -> capnp::Result<Option<Incoming>> {
    let message = open(payload)?;
    Ok(Some(match kind {
        FRAME_COMMAND => {
            let m = message.get_root::<orc::lifecycle_cmd::Reader>()?;
            Incoming::Command(Command {
                id: text(m.get_id())?,
                target: text(m.get_target_capsule_id())?,
                verb: verb(m)?,
            })
        }
        FRAME_RESERVE => {
            let m = message.get_root::<cap::reserve_cmd::Reader>()?;
            Incoming::Reserve { ticket: m.get_ticket(), bytes: m.get_bytes() }
        }
        FRAME_RUN => {
            let m = message.get_root::<cap::run_cmd::Reader>()?;
            let mut args = Vec::new();
            for arg in m.get_args()?.iter() {
                args.push(text(arg)?);
            }
            Incoming::Run(Run {
                ticket: m.get_ticket(),
                method: text(m.get_method())?,
                args,
                offset: m.get_input_offset(),
                length: m.get_input_length(),
            })
        }
        FRAME_RELEASE => {
            let m = message.get_root::<cap::release_cmd::Reader>()?;
            Incoming::Release { ticket: m.get_ticket() }
        }
        _ => return Ok(None),
    }))
}

fn verb(m: orc::lifecycle_cmd::Reader) -> capnp::Result<Verb> {
    let params = m.get_params()?;
    Ok(match m.get_type() {
        Ok(orc::CommandType::Pause) => Verb::Pause,
        Ok(orc::CommandType::Resume) => Verb::Resume,
        Ok(orc::CommandType::Kill) if params.is_empty() => Verb::Kill { grace_ns: 0 },
        Ok(orc::CommandType::Kill) => {
            let inner = open(params)?;
            Verb::Kill { grace_ns: inner.get_root::<orc::kill_params::Reader>()?.get_grace_ns() }
        }
        Ok(orc::CommandType::ResizeMem) => {
            let inner = open(params)?;
            Verb::ResizeMem { bytes: inner.get_root::<orc::resize_mem_params::Reader>()?.get_bytes() }
        }
        _ => Verb::Other,
    })
}

/// Builds one message whose root `fill` writes.
fn build<T: capnp::traits::OwnedStruct>(fill: impl for<'a> FnOnce(T::Builder<'a>)) -> Vec<u8>
where
    for<'a> T::Builder<'a>: capnp::traits::FromPointerBuilder<'a>,
{
    // Nearly every message fits into the first segment.
    let mut message = Builder::new(HeapAllocator::new().first_segment_words(48));
    fill(message.init_root::<T::Builder<'_>>());
    serialize::write_message_to_words(&message)
}

pub fn reply(id: &str, code: ReplyCode, text: &str, memory_bytes: u64, memory_epoch: u32, clock: i64) -> Vec<u8> {
    build::<orc::lifecycle_reply::Owned>(|mut m| {
        m.set_id(id);
        m.set_code(code);
        m.set_message(text);
        m.set_memory_bytes(memory_bytes);
        m.set_memory_epoch(memory_epoch);
        m.set_timestamp(clock);
    })
}

pub fn heartbeat(h: &Heartbeat) -> Vec<u8> {
    build::<orc::health_heartbeat::Owned>(|mut m| {
        m.set_capsule_id(&h.capsule_id[..]);
        m.set_status(h.status);
        m.set_memory_usage(h.memory_usage);
        m.set_cpu_time_ns(h.cpu_time_ns);
        m.set_is_congested(h.congested);
        m.set_needs_more_mem(h.wanted_bytes != 0);
        m.set_sequence(h.sequence);
        m.set_memory_epoch(h.memory_epoch);
        m.set_paused(h.paused);
        m.set_jobs_done(h.jobs_done);
        m.set_wanted_bytes(h.wanted_bytes);
    })
}

/// `room` is offset and length, None when there is no memory for it.
pub fn reserved(ticket: u64, room: Option<(u64, u64)>) -> Vec<u8> {
    build::<cap::reserve_reply::Owned>(|mut m| {
        m.set_ticket(ticket);
        match room {
            Some((offset, length)) => {
                m.set_code(cap::ReserveCode::Ok);
                m.set_offset(offset);
                m.set_length(length);
            }
            None => m.set_code(cap::ReserveCode::NoMemory),
        }
    })
}

pub fn run_done(ticket: u64, code: RunCode, text: &str, offset: u64, length: u64) -> Vec<u8> {
    build::<cap::run_reply::Owned>(|mut m| {
        m.set_ticket(ticket);
        m.set_code(code);
        m.set_message(text);
        m.set_output_offset(offset);
        m.set_output_length(length);
    })
}

pub fn log(level: i8, text: &str, ticket: u64) -> Vec<u8> {
    build::<cap::log_event::Owned>(|mut m| {
        m.set_level(level);
        m.set_text(text);
        m.set_ticket(ticket);
    })
}

pub fn progress(ticket: u64, done: u64, total: u64) -> Vec<u8> {
    build::<cap::progress_event::Owned>(|mut m| {
        m.set_ticket(ticket);
        m.set_done(done);
        m.set_total(total);
    })
}
