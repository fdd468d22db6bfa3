//! The capsule's end of the two rings: it carries lifecycle commands out, keeps
//! jobs and stream data until the loop takes them, and tells the host how the
//! capsule is. It is entered from the loop and from every safe point of a job.
//!
//! While a job runs or the capsule is paused, frames are still taken from the
//! ring, so that lifecycle commands are heard; jobs and data wait in the inbox.
//! The inbox holds as many bytes as the ring. When it is full, frames stay in
//! the ring and the host feels the back-pressure; lifecycle commands are taken out
//! from among them, so that a capsule paused under a stream can be resumed.

mod host;

use crate::congestion::Congestion;
use crate::control::Control;
use crate::haste::Haste;
use crate::heap;
use crate::job::{Host, Stop};
use crate::layout::*;
use crate::message::{self, Command, Heartbeat, Incoming, ReplyCode, Run, RunCode, Status, Verb};
use crate::ring::{padded, Ring, SKIP};
use crate::room::Room;
use crate::space::Space;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

/// What waits until the loop is free.
pub enum Waiting {
    Run(Run),
    Data(Vec<u8>),
}

pub struct Link<S> {
    pub control: Control<S>,
    commands: Ring,
    events: Ring,
    frame: Vec<u8>,

    inbox: VecDeque<(Waiting, u32)>,
    inbox_bytes: u32,
    /// Up to where the ring was searched for commands while the inbox was full.
    searched: u32,
    // By ticket; the host keeps a few dozen at most.
    rooms: Vec<(u64, Room)>,
    outputs: Vec<(u64, Vec<u8>)>,

    /// The job at work and whether it is cancelled.
    pub current: Option<u64>,
    cancelled: bool,
    pub paused: bool,
    /// A method is on the stack: a job's or the stream's.
    pub at_work: bool,
    /// After a kill command: when a job at work must end, by the clock.
    stop_at: Option<i64>,

    pub jobs_done: u64,
    pub cpu_time_ns: i64,
    capsule_id: String,
    congestion: Congestion,
    wanted: u64,
    epoch: u32,
    sequence: u64,
    /// A heartbeat must go out as soon as there is room.
    due: bool,
    last_beat: i64,
    haste: Haste,
}

/// Removes what belongs to a ticket.
fn take<T>(from: &mut Vec<(u64, T)>, ticket: u64) -> Option<T> {
    let i = from.iter().position(|x| x.0 == ticket)?;
    Some(from.swap_remove(i).1)
}

impl<S: Space + Copy> Link<S> {
    pub fn new(control: Control<S>, commands: Ring, events: Ring) -> Self {
        Link {
            control,
            commands,
            events,
            frame: Vec::new(),
            inbox: VecDeque::new(),
            inbox_bytes: 0,
            searched: 0,
            rooms: Vec::new(),
            outputs: Vec::new(),
            current: None,
            cancelled: false,
            paused: false,
            at_work: false,
            stop_at: None,
            jobs_done: 0,
            cpu_time_ns: 0,
            capsule_id: String::new(),
            congestion: Congestion::default(),
            wanted: 0,
            epoch: 0,
            sequence: 0,
            due: true,
            last_beat: 0,
            haste: Haste::default(),
        }
    }

    /// Whether the capsule must stop now: the kill word, or a kill command whose
    /// grace is over or that finds no job at work.
    pub fn stopping(&self) -> bool {
        self.control.killed() || self.stop_at.is_some_and(|at| self.current.is_none() || self.control.clock() >= at)
    }

    /// Takes what is in the command ring, then sends a heartbeat if one is due.
    pub fn turn(&mut self) {
        let space = self.control.space;
        let level = self.commands.used(&space) + self.inbox_bytes;
        let mut frame = core::mem::take(&mut self.frame);
        let mut freed = false;
        while self.inbox_bytes < self.commands.size && !self.control.killed() {
            match self.commands.pop(&space, &mut frame) {
                Some(kind) => {
                    freed = true;
                    self.receive(kind, &frame)
                }
                None => break,
            }
        }
        // After the head was moved: the host says that it waits, then looks again.
        if freed && self.control.load(OFF_COMMAND_WAITING) != 0 {
            self.control.ring_host();
        }
        while self.inbox_bytes >= self.commands.size && !self.control.killed() {
            let (searched, found) = self.commands.take_ahead(&space, self.searched, FRAME_COMMAND, &mut frame);
            self.searched = searched;
            if !found {
                break;
            }
            self.receive(FRAME_COMMAND, &frame);
        }
        self.frame = frame;
        self.beat(level);
        if self.control.load(OFF_FREEZE) != 0 {
            self.freeze();
        }
    }

    /// Answers a request to freeze and, if it can, touches nothing until the host
    /// has copied the memory. A job's stack and locals live in the engine, which
    /// cannot be copied: a capsule freezes between jobs only.
    fn freeze(&mut self) {
        let space = self.control.space;
        let request = self.control.load(OFF_FREEZE);
        let answer = match (self.paused, self.at_work) {
            (false, _) => FREEZE_NOT_PAUSED,
            (_, true) => FREEZE_IN_JOB,
            _ => FREEZE_DONE,
        };
        let answer = request << 2 | answer;
        if request == 0 || self.control.load(OFF_FROZEN) == answer {
            return;
        }
        self.control.store(OFF_FROZEN, answer);
        self.control.ring_host();
        if answer & 3 != FREEZE_DONE {
            return;
        }
        loop {
            let seen = space.load(self.commands.doorbell);
            if self.control.load(OFF_FREEZE) != request || self.control.killed() {
                self.due = true;
                return;
            }
            space.wait(self.commands.doorbell, seen, self.control.heartbeat_interval());
        }
    }

    /// After a snapshot: the same capsule in another memory, under another host.
    /// What waits in the inbox and the command ring is still to be done.
    #[cfg(target_arch = "wasm32")]
    pub fn restored(&mut self) {
        self.current = None;
        self.cancelled = false;
        self.at_work = false;
        self.paused = false;
        self.stop_at = None;
        self.epoch = 0;
        self.due = true;
        self.last_beat = 0;
        heap::satisfied();
    }

    fn receive(&mut self, kind: u16, payload: &[u8]) {
        if kind == SKIP {
            return;
        }
        if kind == FRAME_DATA {
            return self.keep(Waiting::Data(payload.to_vec()), payload.len());
        }
        match message::decode(kind, payload) {
            Ok(Some(Incoming::Command(command))) => self.command(command),
            Ok(Some(Incoming::Reserve { ticket, bytes })) => self.reserve(ticket, bytes),
            Ok(Some(Incoming::Run(run))) => self.keep(Waiting::Run(run), payload.len()),
            Ok(Some(Incoming::Release { ticket })) => self.release(ticket),
            Ok(None) => self.log(4, &format!("inos-sdk: frame of unknown kind {kind}")),
            Err(_) => self.log(8, &format!("inos-sdk: malformed frame of kind {kind}")),
        }
    }

    fn keep(&mut self, what: Waiting, payload: usize) {
        let bytes = FRAME_HEADER + padded(payload as u32);
        self.inbox_bytes += bytes;
        self.inbox.push_back((what, bytes));
    }

    /// The next job or data, unless the capsule is paused.
    pub fn next(&mut self) -> Option<Waiting> {
        if self.paused {
            return None;
        }
        let (what, bytes) = self.inbox.pop_front()?;
        self.inbox_bytes -= bytes;
        Some(what)
    }

    fn command(&mut self, c: Command) {
        if self.capsule_id != c.target {
            self.capsule_id = c.target;
        }
        let memory = self.control.space.length();
        let (code, text) = match c.verb {
            Verb::Pause => (self.pause(true), String::new()),
            Verb::Resume => (self.pause(false), String::new()),
            Verb::ResizeMem { bytes } if bytes > memory => {
                (ReplyCode::Refused, format!("the memory has {memory} bytes: the host grows it first"))
            }
            // The heap takes the new pages when it needs them.
            Verb::ResizeMem { .. } => (ReplyCode::Ok, String::new()),
            Verb::Kill { grace_ns } => {
                self.stop_at = Some(self.control.clock().saturating_add(grace_ns.max(0)));
                (ReplyCode::Ok, String::new())
            }
            Verb::Other => (ReplyCode::Unsupported, "not a live capsule's to carry out".into()),
        };
        let epoch = self.control.load(OFF_MEMORY_EPOCH);
        let reply = message::reply(&c.id, code, &text, memory, epoch, self.control.clock());
        self.send(FRAME_REPLY, &reply);
    }

    fn pause(&mut self, paused: bool) -> ReplyCode {
        if self.paused != paused {
            self.paused = paused;
            self.control.store(OFF_STATE, if paused { STATE_PAUSED } else { STATE_RUNNING });
            self.due = true;
        }
        ReplyCode::Ok
    }

    fn reserve(&mut self, ticket: u64, bytes: u64) {
        let room = usize::try_from(bytes).ok().and_then(Room::new);
        let place = room.as_ref().map(|r| (r.address(), bytes));
        if let Some(room) = room {
            self.rooms.push((ticket, room));
        }
        self.send(FRAME_RESERVED, &message::reserved(ticket, place));
    }

    /// A release before the job's end cancels it.
    fn release(&mut self, ticket: u64) {
        take(&mut self.outputs, ticket);
        take(&mut self.rooms, ticket);
        if self.current == Some(ticket) {
            self.cancelled = true;
            return;
        }
        let is_it = |w: &(Waiting, u32)| matches!(&w.0, Waiting::Run(r) if r.ticket == ticket);
        if let Some(i) = self.inbox.iter().position(is_it) {
            let (_, bytes) = self.inbox.remove(i).expect("just found");
            self.inbox_bytes -= bytes;
            self.done(ticket, RunCode::Failed, "cancelled", None);
        }
    }

    /// The input of a job, if it lies where it was reserved.
    pub fn input_of(&mut self, run: &Run) -> Option<Room> {
        if run.length == 0 {
            take(&mut self.rooms, run.ticket);
            return Some(Room::empty());
        }
        let mut room = take(&mut self.rooms, run.ticket)?;
        let fits = room.address() == run.offset && room.cut(run.length);
        fits.then_some(room)
    }

    pub fn begin(&mut self, ticket: u64) {
        self.current = Some(ticket);
        self.cancelled = false;
    }

    /// Ends the job at work.
    pub fn finish(&mut self, code: RunCode, text: &str, output: Vec<u8>) {
        let Some(ticket) = self.current.take() else { return };
        self.jobs_done += 1;
        if self.cancelled {
            self.done(ticket, RunCode::Failed, "cancelled", None);
        } else {
            self.done(ticket, code, text, Some(output));
        }
    }

    fn done(&mut self, ticket: u64, code: RunCode, text: &str, output: Option<Vec<u8>>) {
        let output = output.filter(|o| code == RunCode::Ok && !o.is_empty());
        let (at, length) = output.as_ref().map_or((0, 0), |o| (o.as_ptr() as u64, o.len() as u64));
        if let Some(output) = output {
            self.outputs.push((ticket, output));
        }
        self.send(FRAME_RUN_DONE, &message::run_done(ticket, code, text, at, length));
    }

    /// Puts an event into the ring and waits for room as long as it takes.
    /// Fails only when the capsule must end at once.
    pub fn send(&mut self, kind: u16, payload: &[u8]) -> bool {
        let control = self.control;
        let words = (control.at + OFF_EVENT_WAITING, control.at + OFF_EVENT_SPACE);
        let stop = || control.killed();
        loop {
            let timeout = control.heartbeat_interval();
            if self.events.push_or_sleep(&control.space, kind, payload, words, timeout, stop) {
                return true;
            }
            if stop() {
                return false;
            }
        }
    }

    /// Sends a heartbeat if the host should hear one now. It never waits.
    fn beat(&mut self, command_level: u32) {
        let space = self.control.space;
        let events_level = self.events.used(&space);
        let congested = if u64::from(events_level) * u64::from(self.commands.size)
            > u64::from(command_level) * u64::from(self.events.size)
        {
            self.congestion.update(events_level, self.events.size)
        } else {
            self.congestion.update(command_level, self.commands.size)
        };
        let mut wanted = heap::wanted();
        if wanted != 0 && space.length() >= wanted {
            heap::satisfied();
            wanted = 0;
        }
        let epoch = self.control.load(OFF_MEMORY_EPOCH);
        let now = self.control.clock();
        let late = now.wrapping_sub(self.last_beat) >= self.control.heartbeat_interval().as_nanos() as i64;
        if !(self.due || congested || late || wanted != self.wanted || epoch != self.epoch) {
            return;
        }
        self.due = true; // until it is in the ring
        self.wanted = wanted;
        if epoch != self.epoch {
            self.epoch = epoch;
            self.sequence = 0;
        }
        let sent = self.events.push(
            &space,
            FRAME_HEARTBEAT,
            &message::heartbeat(&Heartbeat {
                capsule_id: self.capsule_id.clone(),
                status: if wanted == 0 { Status::Healthy } else { Status::Degraded },
                memory_usage: heap::in_use(),
                cpu_time_ns: self.cpu_time_ns,
                congested: self.congestion.raised(),
                sequence: self.sequence + 1,
                memory_epoch: epoch,
                paused: self.paused,
                jobs_done: self.jobs_done,
                wanted_bytes: wanted,
            }),
        );
        if sent {
            self.sequence += 1;
            self.due = false;
            self.last_beat = now;
        }
    }

    /// Sleeps until the host rings or a heartbeat is due.
    pub fn idle(&mut self) {
        let space = self.control.space;
        let doorbell = self.commands.doorbell;
        let seen = space.load(doorbell);
        // What the last turn could have taken and has not.
        let news = match self.inbox_bytes < self.commands.size {
            true => self.commands.used(&space) != 0,
            false => space.load(self.commands.tail) != self.searched,
        };
        if self.control.killed() || news {
            return;
        }
        let looks = self.control.load(OFF_LOOKS);
        if looks != 0 && self.haste.look(looks, || space.load(doorbell) != seen) {
            return;
        }
        let interval = self.control.heartbeat_interval();
        let since = self.control.clock().wrapping_sub(self.last_beat);
        let left = interval.saturating_sub(Duration::from_nanos(since.max(0) as u64));
        if space.wait(doorbell, seen, left.max(Duration::from_millis(1))) {
            self.due = true;
        }
    }
}
