//! A host that speaks to a capsule over a shared memory.

pub mod heap;

use crate::capsule_capnp as cap;
use crate::orchestration_capnp as orc;
use heap::{heap, Shared};
use inos_sdk::control::Control;
use inos_sdk::layout::*;
use inos_sdk::ring::Ring;
use inos_sdk::runner::run;
use inos_sdk::space::Space;
use inos_sdk::Definition;
use std::thread::{spawn, JoinHandle};
use std::time::Duration;

const BLOCK: u32 = 1024;
const COMMANDS: (u32, u32) = (4096, 4096);
const EVENTS: (u32, u32) = (8192, 4096);

/// The host of one capsule that runs on a thread.
pub struct Host {
    pub memory: Shared,
    pub commands: Ring,
    pub events: Ring,
    thread: Option<JoinHandle<()>>,
    frame: Vec<u8>,
}

/// What a capsule said.
#[derive(Debug, PartialEq)]
pub enum Event {
    Reply { id: String, code: orc::ReplyCode, epoch: u32 },
    Beat { sequence: u64, epoch: u32, paused: bool, congested: bool, jobs: u64, id: String },
    Reserved { ticket: u64, offset: u64, length: u64 },
    Done { ticket: u64, code: cap::RunCode, message: String, offset: u64, length: u64 },
    Log(String),
    Progress(u64, u64),
    Data(Vec<u8>),
}

impl Host {
    pub fn start(definition: &'static Definition) -> Host {
        let memory = heap(64 << 10);
        let control = Control { space: memory, at: BLOCK };
        memory.store(BLOCK + OFF_MEMORY_EPOCH, 1);
        memory.store(BLOCK + OFF_HEARTBEAT_MS, 1000);
        let thread = Some(spawn(move || run(definition, control, COMMANDS, EVENTS)));
        while memory.load(BLOCK + OFF_STATE) == STATE_BOOTING {
            std::thread::yield_now();
        }
        let (commands, events) = (control.command_ring(), control.event_ring());
        Host { memory, commands, events, thread, frame: Vec::new() }
    }

    pub fn word(&self, off: u32) -> u32 {
        self.memory.load(BLOCK + off)
    }

    pub fn set(&self, off: u32, value: u32) {
        self.memory.store(BLOCK + off, value);
    }

    /// Sends a frame, waiting while the ring is full.
    pub fn send(&self, kind: u16, payload: &[u8]) {
        while !self.commands.push(&self.memory, kind, payload) {
            std::thread::yield_now();
        }
    }

    /// The next event, if there is one.
    pub fn poll(&mut self) -> Option<Event> {
        let kind = self.events.pop(&self.memory, &mut self.frame)?;
        if self.word(OFF_EVENT_WAITING) != 0 {
            self.set(OFF_EVENT_SPACE, self.word(OFF_EVENT_SPACE).wrapping_add(1));
            self.memory.notify(BLOCK + OFF_EVENT_SPACE);
        }
        Some(decode(kind, &self.frame))
    }

    /// Waits for the next event.
    pub fn next(&mut self) -> Event {
        loop {
            let seen = self.word(OFF_EVENT_DOORBELL);
            if let Some(event) = self.poll() {
                return event;
            }
            self.set(OFF_EVENT_LISTENING, 1);
            if self.word(OFF_EVENT_DOORBELL) == seen {
                self.memory.wait(BLOCK + OFF_EVENT_LISTENING, 1, Duration::from_secs(10));
            }
            self.set(OFF_EVENT_LISTENING, 0);
        }
    }

    /// Waits for the first event that `wanted` takes; the others are dropped.
    pub fn until<T>(&mut self, wanted: impl Fn(&Event) -> Option<T>) -> T {
        loop {
            if let Some(t) = wanted(&self.next()) {
                return t;
            }
        }
    }

    pub fn command(&self, id: &str, kind: orc::CommandType, params: &[u8]) {
        let mut m = capnp::message::Builder::new_default();
        let mut c = m.init_root::<orc::lifecycle_cmd::Builder>();
        c.set_id(id);
        c.set_type(kind);
        c.set_target_capsule_id("k");
        c.set_params(params);
        self.send(FRAME_COMMAND, &capnp::serialize::write_message_to_words(&m));
    }

    /// Sends a command and returns the code of its reply.
    pub fn ask(&mut self, id: &str, kind: orc::CommandType, params: &[u8]) -> orc::ReplyCode {
        self.command(id, kind, params);
        self.until(|e| match e {
            Event::Reply { id: of, code, .. } if of == id => Some(*code),
            _ => None,
        })
    }

    pub fn run(&self, ticket: u64, method: &str, args: &[&str], offset: u64, length: u64) {
        let mut m = capnp::message::Builder::new_default();
        let mut r = m.init_root::<cap::run_cmd::Builder>();
        r.set_ticket(ticket);
        r.set_method(method);
        r.set_input_offset(offset);
        r.set_input_length(length);
        let mut list = r.init_args(args.len() as u32);
        for (i, a) in args.iter().enumerate() {
            list.set(i as u32, a);
        }
        self.send(FRAME_RUN, &capnp::serialize::write_message_to_words(&m));
    }

    pub fn reserve(&mut self, ticket: u64, bytes: u64) -> u64 {
        let mut m = capnp::message::Builder::new_default();
        let mut r = m.init_root::<cap::reserve_cmd::Builder>();
        r.set_ticket(ticket);
        r.set_bytes(bytes);
        self.send(FRAME_RESERVE, &capnp::serialize::write_message_to_words(&m));
        self.until(|e| match e {
            Event::Reserved { ticket: of, offset, .. } if *of == ticket => Some(*offset),
            _ => None,
        })
    }

    pub fn release(&self, ticket: u64) {
        let mut m = capnp::message::Builder::new_default();
        m.init_root::<cap::release_cmd::Builder>().set_ticket(ticket);
        self.send(FRAME_RELEASE, &capnp::serialize::write_message_to_words(&m));
    }

    /// The end of a ticket's job: code, message, output.
    pub fn done(&mut self, ticket: u64) -> (cap::RunCode, String, Vec<u8>) {
        self.until(|e| match e {
            Event::Done { ticket: of, code, message, offset, length } if *of == ticket => {
                // SAFETY: natively, offsets are addresses in this process.
                let out = unsafe { bytes(*offset, *length) }.to_vec();
                Some((*code, message.clone(), out))
            }
            _ => None,
        })
    }

    pub fn kill(&self) {
        self.set(OFF_KILL, 1);
        for off in [OFF_COMMAND_DOORBELL, OFF_EVENT_SPACE] {
            self.set(off, self.word(off).wrapping_add(1));
            self.memory.notify(BLOCK + off);
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.kill();
        let ended = self.thread.take().unwrap().join();
        if !std::thread::panicking() {
            ended.unwrap();
            assert_eq!(self.word(OFF_STATE), STATE_STOPPED);
        }
    }
}

/// # Safety
/// The address must come from a live capsule of this process.
pub unsafe fn bytes(at: u64, length: u64) -> &'static mut [u8] {
    if length == 0 {
        return &mut [];
    }
    std::slice::from_raw_parts_mut(at as *mut u8, length as usize)
}

pub fn params_resize(bytes: u64) -> Vec<u8> {
    let mut m = capnp::message::Builder::new_default();
    m.init_root::<orc::resize_mem_params::Builder>().set_bytes(bytes);
    capnp::serialize::write_message_to_words(&m)
}

pub fn params_kill(grace_ns: i64) -> Vec<u8> {
    let mut m = capnp::message::Builder::new_default();
    m.init_root::<orc::kill_params::Builder>().set_grace_ns(grace_ns);
    capnp::serialize::write_message_to_words(&m)
}

fn decode(kind: u16, payload: &[u8]) -> Event {
    if kind == FRAME_DATA {
        return Event::Data(payload.to_vec());
    }
    let m = capnp::serialize::read_message(payload, Default::default()).unwrap();
    let text = |t: capnp::Result<capnp::text::Reader>| t.unwrap().to_string().unwrap();
    match kind {
        FRAME_REPLY => {
            let r = m.get_root::<orc::lifecycle_reply::Reader>().unwrap();
            Event::Reply { id: text(r.get_id()), code: r.get_code().unwrap(), epoch: r.get_memory_epoch() }
        }
        FRAME_HEARTBEAT => {
            let h = m.get_root::<orc::health_heartbeat::Reader>().unwrap();
            Event::Beat {
                sequence: h.get_sequence(),
                epoch: h.get_memory_epoch(),
                paused: h.get_paused(),
                congested: h.get_is_congested(),
                jobs: h.get_jobs_done(),
                id: text(h.get_capsule_id()),
            }
        }
        FRAME_RESERVED => {
            let r = m.get_root::<cap::reserve_reply::Reader>().unwrap();
            Event::Reserved { ticket: r.get_ticket(), offset: r.get_offset(), length: r.get_length() }
        }
        FRAME_RUN_DONE => {
            let r = m.get_root::<cap::run_reply::Reader>().unwrap();
            Event::Done {
                ticket: r.get_ticket(),
                code: r.get_code().unwrap(),
                message: text(r.get_message()),
                offset: r.get_output_offset(),
                length: r.get_output_length(),
            }
        }
        FRAME_LOG => Event::Log(text(m.get_root::<cap::log_event::Reader>().unwrap().get_text())),
        FRAME_PROGRESS => {
            let p = m.get_root::<cap::progress_event::Reader>().unwrap();
            Event::Progress(p.get_done(), p.get_total())
        }
        _ => panic!("frame of kind {kind}"),
    }
}
