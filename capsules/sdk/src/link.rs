//! The capsule's end of the two rings: it carries lifecycle commands out, keeps
//! jobs and stream data until the loop takes them, and tells the host how the
//! capsule is. It is entered from the loop and from every safe point of a job.
//!
//! While a job runs or the capsule is paused, frames are still taken from the
//! ring, so that lifecycle commands are heard; jobs and data wait in the inbox.
//! The inbox holds as many bytes as the ring. When it is full, frames stay in
//! the ring and the host feels the back-pressure; lifecycle commands are taken out
//! from among them, so that a capsule paused under a stream can be resumed.

mod beat;
mod commands;
mod host;
#[cfg(test)]
mod tests;
mod tickets;

use crate::congestion::Congestion;
use crate::control::Control;
use crate::heap;
use crate::input::Input;
use crate::job::{Host, Stop};
use crate::layout::*;
use crate::message::{self, Incoming, Run};
use crate::ring::{padded, Ring, SKIP};
use crate::space::Space;
use crate::spin::Spin;
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
    /// Up to where the ring was searched for commands while the inbox was full; never
    /// outside of what is unread.
    searched: u32,
    // By ticket; the host keeps a few dozen at most.
    inputs: Vec<(u64, Input)>,
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
    spin: Spin,
    /// The busy word is set.
    busy: bool,
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
            inputs: Vec::new(),
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
            spin: Spin::default(),
            busy: false,
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
            let commands = self.commands;
            let busy = |kind| {
                if kind == FRAME_DATA {
                    self.set_busy(true)
                }
            };
            match commands.pop_after(&space, &mut frame, busy) {
                Some(kind) => {
                    freed = true;
                    self.receive(kind, &frame)
                }
                None => break,
            }
        }
        // Later, when the counters have come round, it could be a place within a frame.
        let head = space.load(self.commands.head);
        if freed && self.searched.wrapping_sub(head) > self.commands.used(&space) {
            self.searched = head;
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

    /// Whether there is stream data to work on, for the host, which keeps the clock
    /// while there is. The word changes before anything that lets the host look.
    fn set_busy(&mut self, busy: bool) {
        if self.busy != busy {
            self.busy = busy;
            self.control.store(OFF_BUSY, u32::from(busy));
        }
    }

    fn has_data(&self) -> bool {
        self.inbox.iter().any(|w| matches!(w.0, Waiting::Data(_)))
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

    /// Sleeps until the host rings or a heartbeat is due.
    pub fn idle(&mut self) {
        if !self.at_work {
            self.set_busy(false); // it has no data, or is paused
        }
        let space = self.control.space;
        let doorbell = self.commands.doorbell;
        let seen = space.load(doorbell);
        // What the last turn could have taken and has not.
        let news = match self.inbox_bytes < self.commands.size {
            true => self.commands.used(&space) != 0,
            false => space.load(self.commands.tail) != self.searched,
        };
        let request = self.control.load(OFF_FREEZE);
        let freeze = request != 0 && self.control.load(OFF_FROZEN) >> 2 != request;
        if self.control.killed() || news || freeze {
            return;
        }
        let looks = self.control.load(OFF_LOOKS);
        if looks != 0 && self.spin.look(looks, || space.load(doorbell) != seen) {
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
