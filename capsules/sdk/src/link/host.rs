//! What a job asks of the link: safe points, progress, logs, stream output, memory.

use super::*;

impl<S: Space + Copy> Host for Link<S> {
    fn checkpoint(&mut self) -> Result<(), Stop> {
        loop {
            self.turn();
            if self.stopping() {
                return Err(Stop::Killed);
            }
            if !self.paused {
                break;
            }
            self.idle();
        }
        if self.cancelled {
            return Err(Stop::Cancelled);
        }
        Ok(())
    }

    fn progress(&mut self, done: u64, total: u64) {
        let Some(ticket) = self.current else { return };
        let space = self.control.space;
        // Half the ring is left to what must not be lost.
        if self.events.used(&space) <= self.events.size / 2 {
            self.events.push(&space, FRAME_PROGRESS, &message::progress(ticket, done, total));
        }
    }

    fn log(&mut self, level: i8, text: &str) {
        let most = self.events.max_payload() as usize / 2;
        let mut cut = text.len().min(most);
        while !text.is_char_boundary(cut) {
            cut -= 1;
        }
        let event = message::log(level, text.get(..cut).unwrap_or(""), self.current.unwrap_or(0));
        self.send(FRAME_LOG, &event);
    }

    fn emit(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        for part in bytes.chunks(self.events.max_payload() as usize) {
            if !self.send(FRAME_DATA, part) {
                return Err(Stop::Killed);
            }
        }
        Ok(())
    }

    fn need_memory(&mut self, bytes: u64) {
        heap::want(bytes);
    }

    fn rest(&mut self) {
        self.idle();
    }

    fn memory(&self) -> u64 {
        self.control.space.length()
    }

    fn clock(&self) -> i64 {
        self.control.clock()
    }
}
