//! Cap'n Proto frames, plain on this side.

use crate::flat::{self, Malformed, Root};
use crate::layout::{FRAME_COMMAND, FRAME_RELEASE, FRAME_RESERVE, FRAME_RUN};
use alloc::string::String;
use alloc::vec::Vec;

pub use crate::ordinals::{CommandType, ReplyCode, RunCode, Status};

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
    /// The arguments it was spawned with, before anything else is asked of it.
    Spawn {
        args: Vec<String>,
    },
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

/// Reads a frame of `kind`. A command comes with the capsule id it is meant for. The
/// numbers of words and texts are those of the schema's structs; a test compares.
pub fn decode(kind: u16, payload: &[u8]) -> Result<Option<Incoming>, Malformed> {
    let m = Root::new(payload)?;
    Ok(Some(match kind {
        FRAME_COMMAND => {
            Incoming::Command(Command { id: m.text(0)?.into(), target: m.text(1)?.into(), verb: verb(&m)? })
        }
        FRAME_RESERVE => Incoming::Reserve { ticket: m.word(0), bytes: m.word(1) },
        FRAME_RUN => Incoming::Run(Run {
            ticket: m.word(0),
            method: m.text(0)?.into(),
            args: m.texts(1)?,
            offset: m.word(1),
            length: m.word(2),
        }),
        FRAME_RELEASE => Incoming::Release { ticket: m.word(0) },
        _ => return Ok(None),
    }))
}

fn verb(m: &Root) -> Result<Verb, Malformed> {
    let params = m.bytes(2)?;
    Ok(match CommandType::of(m.word(0) as u16) {
        Some(CommandType::Spawn) if params.is_empty() => Verb::Spawn { args: Vec::new() },
        Some(CommandType::Spawn) => Verb::Spawn { args: Root::new(params)?.texts(3)? },
        Some(CommandType::Kill) if params.is_empty() => Verb::Kill { grace_ns: 0 },
        Some(CommandType::Kill) => Verb::Kill { grace_ns: Root::new(params)?.word(0) as i64 },
        Some(CommandType::Pause) => Verb::Pause,
        Some(CommandType::Resume) => Verb::Resume,
        Some(CommandType::ResizeMem) => Verb::ResizeMem { bytes: Root::new(params)?.word(0) },
        _ => Verb::Other,
    })
}

pub fn reply(id: &str, code: ReplyCode, text: &str, memory_bytes: u64, memory_epoch: u32, clock: i64) -> Vec<u8> {
    let first = code as u64 | u64::from(memory_epoch) << 32;
    flat::write(&[first, memory_bytes, clock as u64], &[id, text, "", "", ""])
}

pub fn heartbeat(h: &Heartbeat) -> Vec<u8> {
    let flags = u64::from(h.congested) | u64::from(h.wanted_bytes != 0) << 1 | u64::from(h.paused) << 2;
    let first = h.status as u64 | flags << 16 | u64::from(h.memory_epoch) << 32;
    let words = [first, h.memory_usage, h.cpu_time_ns as u64, h.sequence, h.jobs_done, h.wanted_bytes];
    flat::write(&words, &[&h.capsule_id])
}

/// `room` is offset and length, None when there is no memory for it.
pub fn reserved(ticket: u64, room: Option<(u64, u64)>) -> Vec<u8> {
    let (offset, length) = room.unwrap_or_default();
    flat::write(&[ticket, u64::from(room.is_none()), offset, length], &[])
}

pub fn run_done(ticket: u64, code: RunCode, text: &str, offset: u64, length: u64) -> Vec<u8> {
    flat::write(&[ticket, code as u64, offset, length], &[text])
}

pub fn log(level: i8, text: &str, ticket: u64) -> Vec<u8> {
    flat::write(&[u64::from(level as u8), ticket], &[text])
}

pub fn progress(ticket: u64, done: u64, total: u64) -> Vec<u8> {
    flat::write(&[ticket, done, total], &[])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::FRAME_DATA;
    use crate::{capsule_capnp as cap, orchestration_capnp as orc};
    use capnp::message::{Builder, HeapAllocator, Reader, ReaderOptions};
    use capnp::serialize;
    use capnp::traits::{FromPointerBuilder, OwnedStruct};

    fn read(message: &[u8]) -> Reader<serialize::OwnedSegments> {
        serialize::read_message(&mut &message[..], ReaderOptions::new()).unwrap()
    }

    fn build<T: OwnedStruct>(fill: impl for<'a> FnOnce(T::Builder<'a>)) -> Vec<u8>
    where
        for<'a> T::Builder<'a>: FromPointerBuilder<'a>,
    {
        let mut m = Builder::new(HeapAllocator::new().first_segment_words(1 << 10));
        fill(m.init_root::<T::Builder<'_>>());
        serialize::write_message_to_words(&m)
    }

    const TEXTS: [&str; 4] = ["", "a", "1234567", "acht Buchstaben und ß"];

    #[test]
    fn the_library_reads_what_is_written() {
        for text in TEXTS {
            let bytes = reply(text, ReplyCode::Unsupported, "why not", 1 << 40, 7, -5);
            let m = read(&bytes);
            let m = m.get_root::<orc::lifecycle_reply::Reader>().unwrap();
            assert_eq!((m.get_id().unwrap().to_str(), m.get_code()), (Ok(text), Ok(orc::ReplyCode::Unsupported)));
            assert_eq!(m.get_message().unwrap(), "why not");
            assert_eq!((m.get_memory_bytes(), m.get_memory_epoch(), m.get_timestamp()), (1 << 40, 7, -5));
            assert!(m.get_capsule_id().unwrap().is_empty() && m.get_snapshot_cid().unwrap().is_empty());
            assert!(m.get_reason().unwrap().is_empty());

            let bytes = log(-4, text, 9);
            let m = read(&bytes);
            let m = m.get_root::<cap::log_event::Reader>().unwrap();
            assert_eq!((m.get_level(), m.get_text().unwrap().to_str(), m.get_ticket()), (-4, Ok(text), 9));

            let bytes = run_done(3, RunCode::NoMemory, text, 11, 12);
            let m = read(&bytes);
            let m = m.get_root::<cap::run_reply::Reader>().unwrap();
            assert_eq!((m.get_ticket(), m.get_code()), (3, Ok(cap::RunCode::NoMemory)));
            assert_eq!(m.get_message().unwrap().to_str(), Ok(text));
            assert_eq!((m.get_output_offset(), m.get_output_length()), (11, 12));
        }
        let bytes = reserved(4, Some((5, 6)));
        let m = read(&bytes);
        let m = m.get_root::<cap::reserve_reply::Reader>().unwrap();
        assert_eq!((m.get_ticket(), m.get_code()), (4, Ok(cap::ReserveCode::Ok)));
        assert_eq!((m.get_offset(), m.get_length()), (5, 6));
        let bytes = reserved(4, None);
        let m = read(&bytes);
        assert_eq!(m.get_root::<cap::reserve_reply::Reader>().unwrap().get_code(), Ok(cap::ReserveCode::NoMemory));
        let bytes = progress(1, 2, 3);
        let m = read(&bytes);
        let m = m.get_root::<cap::progress_event::Reader>().unwrap();
        assert_eq!((m.get_ticket(), m.get_done(), m.get_total()), (1, 2, 3));
    }

    #[test]
    fn the_library_reads_each_flag_of_a_heartbeat() {
        for n in 0..8u64 {
            let h = Heartbeat {
                capsule_id: "c1".into(),
                status: if n & 2 == 0 { Status::Healthy } else { Status::Degraded },
                memory_usage: 1,
                cpu_time_ns: -2,
                congested: n & 1 != 0,
                sequence: 3,
                memory_epoch: 4,
                paused: n & 4 != 0,
                jobs_done: 5,
                wanted_bytes: 6 * (n & 2),
            };
            let bytes = heartbeat(&h);
            let m = read(&bytes);
            let m = m.get_root::<orc::health_heartbeat::Reader>().unwrap();
            let status = if n & 2 == 0 { orc::Status::Healthy } else { orc::Status::Degraded };
            assert_eq!((m.get_capsule_id().unwrap().to_str(), m.get_status()), (Ok("c1"), Ok(status)));
            assert_eq!((m.get_memory_usage(), m.get_cpu_time_ns(), m.get_sequence()), (1, -2, 3));
            assert_eq!((m.get_memory_epoch(), m.get_jobs_done(), m.get_wanted_bytes()), (4, 5, h.wanted_bytes));
            let flags = (m.get_is_congested(), m.get_needs_more_mem(), m.get_paused());
            assert_eq!(flags, (h.congested, h.wanted_bytes != 0, h.paused));
        }
    }

    fn command(kind: orc::CommandType, params: &[u8]) -> Vec<u8> {
        build::<orc::lifecycle_cmd::Owned>(|mut m| {
            m.set_id("id");
            m.set_type(kind);
            m.set_target_capsule_id("c1");
            m.set_params(params);
            m.set_deadline(-1);
        })
    }

    #[test]
    fn what_the_library_writes_is_read() {
        let grace = build::<orc::kill_params::Owned>(|mut m| {
            m.set_reason("no longer needed");
            m.set_grace_ns(77);
        });
        let bytes = build::<orc::resize_mem_params::Owned>(|mut m| m.set_bytes(1 << 33));
        let args = build::<orc::spawn_params::Owned>(|mut m| {
            m.set_cid("cid");
            let mut args = m.init_args(TEXTS.len() as u32);
            TEXTS.iter().enumerate().for_each(|(i, &t)| args.set(i as u32, t));
        });
        for (kind, params, is) in [
            (orc::CommandType::Spawn, &[][..], "Spawn 0"),
            (orc::CommandType::Spawn, &args[..], "Spawn 4"),
            (orc::CommandType::Pause, &[][..], "Pause"),
            (orc::CommandType::Resume, &[][..], "Resume"),
            (orc::CommandType::Kill, &[][..], "Kill 0"),
            (orc::CommandType::Kill, &grace[..], "Kill 77"),
            (orc::CommandType::ResizeMem, &bytes[..], "Resize 8589934592"),
            (orc::CommandType::Snapshot, &[][..], "Other"),
        ] {
            let Ok(Some(Incoming::Command(c))) = decode(FRAME_COMMAND, &command(kind, params)) else { panic!("{is}") };
            let verb = match c.verb {
                Verb::Spawn { args } => {
                    assert!(args.is_empty() || args == TEXTS);
                    std::format!("Spawn {}", args.len())
                }
                Verb::Pause => "Pause".into(),
                Verb::Resume => "Resume".into(),
                Verb::Kill { grace_ns } => std::format!("Kill {grace_ns}"),
                Verb::ResizeMem { bytes } => std::format!("Resize {bytes}"),
                Verb::Other => String::from("Other"),
            };
            assert_eq!((&c.id[..], &c.target[..], &verb[..]), ("id", "c1", is));
        }
        let run = build::<cap::run_cmd::Owned>(|mut m| {
            m.set_ticket(1);
            m.set_method("mean");
            m.set_input_offset(2);
            m.set_input_length(3);
            let mut args = m.init_args(TEXTS.len() as u32);
            TEXTS.iter().enumerate().for_each(|(i, &t)| args.set(i as u32, t));
        });
        let Ok(Some(Incoming::Run(r))) = decode(FRAME_RUN, &run) else { panic!() };
        assert_eq!((r.ticket, &r.method[..], r.offset, r.length), (1, "mean", 2, 3));
        assert_eq!(r.args, TEXTS);
        assert!(matches!(decode(FRAME_DATA, &run), Ok(None)));
    }

    /// Whatever comes, it is read or refused; no text is longer than the message.
    #[test]
    fn damaged_messages_harm_nobody() {
        let good = build::<cap::run_cmd::Owned>(|mut m| {
            m.set_method("mean");
            m.init_args(2).set(0, "first");
        });
        let mut x = 1u64;
        for cut in 0..good.len() {
            assert!(decode(FRAME_RUN, &good[..cut]).is_err());
        }
        for n in 0..200_000 {
            let mut bad = good.clone();
            for _ in 0..n % 4 + 1 {
                x = x.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                let at = (x >> 33) as usize % bad.len();
                bad[at] = (x >> 20) as u8;
            }
            for kind in [FRAME_COMMAND, FRAME_RUN] {
                if let Ok(Some(Incoming::Run(r))) = decode(kind, &bad) {
                    assert!(r.args.iter().map(|a| a.len()).sum::<usize>() + r.method.len() <= 2 * bad.len());
                }
            }
        }
        // A list of a hundred texts, all of them the same one.
        let words: Vec<u64> = [0, 1 << 48, 1 | 6 << 32 | 100 << 35]
            .into_iter()
            .chain((0..100).map(|i: u64| (99 - i) << 2 | 1 | 2 << 32 | 100 << 35))
            .chain([0x6161_6161_6161_6161; 12])
            .chain([0x61_6161])
            .collect();
        let mut bomb: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
        bomb[4..8].copy_from_slice(&(words.len() as u32 - 1).to_le_bytes());
        let root = Root::new(&bomb).unwrap();
        assert_eq!(root.texts(0), Err(Malformed));
    }
}
