//! The control block and what the loop reads and writes there.

use crate::layout::*;
use crate::ring::Ring;
use crate::space::Space;
use core::time::Duration;

/// The control block of a memory. `at` is its offset.
#[derive(Clone, Copy)]
pub struct Control<S> {
    pub space: S,
    pub at: u32,
}

/// How often a heartbeat goes out when the host has not said.
const DEFAULT_HEARTBEAT: Duration = Duration::from_millis(250);

impl<S: Space + Copy> Control<S> {
    /// Fills the block in, the magic last. The host does not look at it before the
    /// state says that the capsule runs.
    pub fn prepare(&self, commands: (u32, u32), events: (u32, u32)) -> (Ring, Ring) {
        let put = |off, v| self.space.store(self.at + off, v);
        put(OFF_COMMAND_BASE, commands.0);
        put(OFF_COMMAND_SIZE, commands.1);
        put(OFF_EVENT_BASE, events.0);
        put(OFF_EVENT_SIZE, events.1);
        put(OFF_ABI_VERSION, ABI_VERSION);
        put(OFF_MAGIC, CONTROL_MAGIC);
        (self.command_ring(), self.event_ring())
    }

    /// Prepares the block and says that the capsule runs.
    pub fn publish(&self, commands: (u32, u32), events: (u32, u32)) -> (Ring, Ring) {
        let rings = self.prepare(commands, events);
        self.store(OFF_STATE, STATE_RUNNING);
        rings
    }

    /// The ring from the host, once published.
    pub fn command_ring(&self) -> Ring {
        Ring {
            base: self.load(OFF_COMMAND_BASE),
            size: self.load(OFF_COMMAND_SIZE),
            head: self.at + OFF_COMMAND_HEAD,
            tail: self.at + OFF_COMMAND_TAIL,
            doorbell: self.at + OFF_COMMAND_DOORBELL,
            listening: None,
        }
    }

    /// The ring to the host, once published.
    pub fn event_ring(&self) -> Ring {
        Ring {
            base: self.load(OFF_EVENT_BASE),
            size: self.load(OFF_EVENT_SIZE),
            head: self.at + OFF_EVENT_HEAD,
            tail: self.at + OFF_EVENT_TAIL,
            doorbell: self.at + OFF_EVENT_DOORBELL,
            listening: Some(self.at + OFF_EVENT_LISTENING),
        }
    }

    pub fn load(&self, off: u32) -> u32 {
        self.space.load(self.at + off)
    }

    pub fn store(&self, off: u32, value: u32) {
        self.space.store(self.at + off, value)
    }

    /// Whether the host wants the capsule to end at once.
    pub fn killed(&self) -> bool {
        self.load(OFF_KILL) != 0
    }

    pub fn clock(&self) -> i64 {
        self.space.load64(self.at + OFF_CLOCK) as i64
    }

    pub fn heartbeat_interval(&self) -> Duration {
        match self.load(OFF_HEARTBEAT_MS) {
            0 => DEFAULT_HEARTBEAT,
            ms => Duration::from_millis(ms.into()),
        }
    }

    /// Leaves `parts` as the panic text, cut at a character if too long, and
    /// rings. Nothing is allocated.
    pub fn panicked(&self, text: core::fmt::Arguments<'_>) {
        let mut writer = PanicText { control: self, length: 0 };
        let _ = core::fmt::Write::write_fmt(&mut writer, text);
        let length = writer.length;
        self.store(OFF_PANIC_LENGTH, length);
        self.store(OFF_STATE, STATE_PANICKED);
        self.ring_host();
    }

    /// Rings the host without a frame.
    pub fn ring_host(&self) {
        self.event_ring().ring(&self.space);
    }
}

struct PanicText<'a, S> {
    control: &'a Control<S>,
    length: u32,
}

impl<S: Space> core::fmt::Write for PanicText<'_, S> {
    fn write_str(&mut self, s: &str) -> core::fmt::Result {
        let mut fits = s.len().min((PANIC_TEXT_CAP - self.length) as usize);
        while !s.is_char_boundary(fits) {
            fits -= 1;
        }
        let control = self.control;
        control.space.write(control.at + OFF_PANIC_TEXT + self.length, &s.as_bytes()[..fits]);
        self.length += fits as u32;
        if fits < s.len() {
            return Err(core::fmt::Error); // the text is full
        }
        Ok(())
    }
}
