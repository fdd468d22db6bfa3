//! Lifecycle commands, and the stillness of a snapshot.

use super::Link;
use crate::layout::*;
use crate::message::{self, Command, ReplyCode, Verb};
use crate::space::Space;
use alloc::format;
use alloc::string::String;

impl<S: Space + Copy> Link<S> {
    pub(super) fn command(&mut self, c: Command) {
        if self.capsule_id != c.target {
            self.capsule_id = c.target;
        }
        let memory = self.control.space.length();
        let (code, text) = match c.verb {
            Verb::Spawn { args } => {
                crate::args::set(args);
                (ReplyCode::Ok, String::new())
            }
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
            if !paused && self.has_data() {
                self.set_busy(true);
            }
            self.control.store(OFF_STATE, if paused { STATE_PAUSED } else { STATE_RUNNING });
            self.due = true;
        }
        ReplyCode::Ok
    }

    /// Answers a request to freeze and, if it can, touches nothing until the host
    /// has copied the memory. A job's stack and locals live in the engine, which
    /// cannot be copied: a capsule freezes between jobs only.
    pub(super) fn freeze(&mut self) {
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
        let has_data = self.has_data();
        self.set_busy(has_data);
        self.stop_at = None;
        self.epoch = 0;
        self.due = true;
        self.last_beat = 0;
        crate::heap::satisfied();
    }
}
