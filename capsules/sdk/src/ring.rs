//! Single-producer single-consumer rings of 8-byte-aligned frames. Head and tail
//! count bytes and run freely modulo 2^32; tail - head is what is unread. Both
//! ends read the counters from memory each time and remember nothing across a
//! wait.

use crate::layout::FRAME_HEADER;
use crate::space::Space;
use alloc::vec::Vec;
use core::time::Duration;

/// Where a ring and its counters lie.
#[derive(Clone, Copy)]
pub struct Ring {
    pub base: u32,
    /// A power of two.
    pub size: u32,
    pub head: u32,
    pub tail: u32,
    pub doorbell: u32,
    /// The word that the consumer sleeps on while it is not 0, and whoever wakes it
    /// clears; None for the doorbell itself.
    pub listening: Option<u32>,
}

/// The kind of a frame that was taken ahead: see `take_ahead`. No host sends it.
pub const SKIP: u16 = 0;

pub const fn padded(n: u32) -> u32 {
    (n + 7) & !7
}

impl Ring {
    /// The largest payload that fits.
    pub fn max_payload(&self) -> u32 {
        self.size / 2 - FRAME_HEADER
    }

    /// How many bytes are unread.
    pub fn used<S: Space>(&self, space: &S) -> u32 {
        space.load(self.tail).wrapping_sub(space.load(self.head))
    }

    fn read<S: Space>(&self, space: &S, at: u32, into: &mut [u8]) {
        let start = at & (self.size - 1);
        let first = into.len().min((self.size - start) as usize);
        let (a, b) = into.split_at_mut(first);
        space.read(self.base + start, a);
        space.read(self.base, b);
    }

    fn write<S: Space>(&self, space: &S, at: u32, from: &[u8]) {
        let start = at & (self.size - 1);
        let first = from.len().min((self.size - start) as usize);
        let (a, b) = from.split_at(first);
        space.write(self.base + start, a);
        space.write(self.base, b);
    }

    /// Writes one frame and rings, or returns false when there is no room.
    /// Only the producer calls it.
    pub fn push<S: Space>(&self, space: &S, kind: u16, payload: &[u8]) -> bool {
        assert!(payload.len() <= self.max_payload() as usize, "frame of {} bytes", payload.len());
        let length = payload.len() as u32;
        let total = FRAME_HEADER + padded(length);
        let tail = space.load(self.tail);
        if self.size - tail.wrapping_sub(space.load(self.head)) < total {
            return false;
        }
        let mut header = [0; FRAME_HEADER as usize];
        header[..4].copy_from_slice(&length.to_le_bytes());
        header[4..6].copy_from_slice(&kind.to_le_bytes());
        self.write(space, tail, &header);
        self.write(space, tail.wrapping_add(FRAME_HEADER), payload);
        space.store(self.tail, tail.wrapping_add(total));
        self.ring(space);
        true
    }

    /// Pushes, or sleeps until the consumer has made room: once, at most `timeout`,
    /// and not when `stop` says so. Returns whether it was pushed. `waiting` and
    /// `room` are the words of the sleep: the consumer stores its head, then reads
    /// waiting, then moves room; here waiting is set and room read before the head
    /// is read again.
    pub fn push_or_sleep<S: Space>(
        &self,
        space: &S,
        kind: u16,
        payload: &[u8],
        (waiting, room): (u32, u32),
        timeout: Duration,
        stop: impl Fn() -> bool,
    ) -> bool {
        if self.push(space, kind, payload) {
            return true;
        }
        space.store(waiting, 1);
        let seen = space.load(room);
        let pushed = self.push(space, kind, payload);
        if !pushed && !stop() {
            space.wait(room, seen, timeout);
        }
        space.store(waiting, 0);
        pushed
    }

    /// Adds one to the doorbell and wakes the consumer, if it sleeps. It sets listening,
    /// compares the doorbell, and sleeps while listening is set; the producer looks at
    /// listening after the doorbell has changed: one of the two sees the other.
    pub fn ring<S: Space>(&self, space: &S) {
        space.store(self.doorbell, space.load(self.doorbell).wrapping_add(1));
        match self.listening {
            None => space.notify(self.doorbell),
            Some(word) if space.load(word) != 0 => {
                space.store(word, 0); // one wake-up is enough until it listens again
                space.notify(word);
            }
            Some(_) => {}
        }
    }

    /// Looks at the unread frames from the free-running position `at` on, none of
    /// which is consumed, and takes the first of `kind`: it is marked as one to be
    /// skipped. Returns where the next look starts, and whether there was one. Only
    /// the consumer calls it.
    pub fn take_ahead<S: Space>(&self, space: &S, at: u32, kind: u16, into: &mut Vec<u8>) -> (u32, bool) {
        let head = space.load(self.head);
        let used = space.load(self.tail).wrapping_sub(head);
        let mut seen = at.wrapping_sub(head);
        if seen > used {
            seen = 0; // they were consumed meanwhile
        }
        while seen < used {
            let here = head.wrapping_add(seen);
            let (length, its) = self.header(space, here, used - seen);
            seen += FRAME_HEADER + padded(length);
            if its == kind {
                into.resize(length as usize, 0);
                self.read(space, here.wrapping_add(FRAME_HEADER), into);
                self.write(space, here.wrapping_add(4), &SKIP.to_le_bytes());
                return (head.wrapping_add(seen), true);
            }
        }
        (head.wrapping_add(seen), false)
    }

    /// The length and kind of the frame at `at`, behind which `used` bytes are
    /// unread.
    fn header<S: Space>(&self, space: &S, at: u32, used: u32) -> (u32, u16) {
        let mut header = [0; FRAME_HEADER as usize];
        self.read(space, at, &mut header);
        let length = u32::from_le_bytes([header[0], header[1], header[2], header[3]]);
        // The host is trusted not to attack, but a broken ring must not turn
        // into a wild read.
        assert!(
            used <= self.size && length <= self.max_payload() && FRAME_HEADER + padded(length) <= used,
            "ring broken: at {at}, {used} unread, frame of {length}"
        );
        (length, u16::from_le_bytes([header[4], header[5]]))
    }

    /// Copies the next frame's payload into `into` and frees its room. Only the
    /// consumer calls it. None when nothing is unread.
    pub fn pop<S: Space>(&self, space: &S, into: &mut Vec<u8>) -> Option<u16> {
        self.pop_after(space, into, |_| ())
    }

    /// Pops, and calls `before` with the frame's kind before its room is free.
    pub fn pop_after<S: Space>(&self, space: &S, into: &mut Vec<u8>, before: impl FnOnce(u16)) -> Option<u16> {
        let head = space.load(self.head);
        let used = space.load(self.tail).wrapping_sub(head);
        if used == 0 {
            return None;
        }
        let (length, kind) = self.header(space, head, used);
        into.resize(length as usize, 0);
        self.read(space, head.wrapping_add(FRAME_HEADER), into);
        before(kind);
        space.store(self.head, head.wrapping_add(FRAME_HEADER + padded(length)));
        Some(kind)
    }
}
