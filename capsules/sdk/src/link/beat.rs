//! What the host hears of the capsule unasked.

use super::Link;
use crate::heap;
use crate::layout::*;
use crate::message::{self, Heartbeat, Status};
use crate::space::Space;

impl<S: Space + Copy> Link<S> {
    /// Sends a heartbeat if the host should hear one now. It never waits.
    pub(super) fn beat(&mut self, command_level: u32) {
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
}
