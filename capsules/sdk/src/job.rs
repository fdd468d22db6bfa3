//! What a capsule's method sees of its job.

use crate::message::RunCode;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Display;

/// Why a job should stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The capsule is to end.
    Killed,
    /// Nobody waits for this job any more.
    Cancelled,
}

/// Why a method gave no output. `?` makes one of a `Stop`.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    pub code: RunCode,
    pub message: String,
}

impl Failure {
    /// The input or an argument is not what the method takes.
    pub fn bad_input(why: impl Display) -> Failure {
        Failure { code: RunCode::BadInput, message: why.to_string() }
    }
    /// Anything else.
    pub fn failed(why: impl Display) -> Failure {
        Failure { code: RunCode::Failed, message: why.to_string() }
    }
    /// The memory does not suffice for `bytes` more.
    pub fn no_memory(bytes: usize) -> Failure {
        Failure { code: RunCode::NoMemory, message: format!("no memory for {bytes} bytes") }
    }
}

impl From<Stop> for Failure {
    fn from(stop: Stop) -> Failure {
        Failure::failed(match stop {
            Stop::Killed => "killed",
            Stop::Cancelled => "cancelled",
        })
    }
}

/// What a method returns.
pub type Outcome = Result<(), Failure>;

/// A method: it reads the job's input and writes its output.
pub type Method = fn(&mut Job) -> Outcome;

/// What a job may ask of the capsule's life. `testing` has a plain one.
pub trait Host {
    fn checkpoint(&mut self) -> Result<(), Stop>;
    fn progress(&mut self, done: u64, total: u64);
    fn log(&mut self, level: i8, text: &str);
    fn emit(&mut self, bytes: &[u8]) -> Result<(), Stop>;
    fn need_memory(&mut self, bytes: u64);
    /// Sleeps until the host says something or a heartbeat is due.
    fn rest(&mut self);
    fn memory(&self) -> u64;
    fn clock(&self) -> i64;
}

/// How long a job waits for memory that it asked the host for, before it takes it
/// itself, in nanoseconds.
const PATIENCE: i64 = 250_000_000;

/// What is left free when memory is asked for: the heap's own needs.
const SPARE: u64 = 128 << 10;

/// One job at work.
pub struct Job<'a> {
    pub(crate) method: &'a str,
    pub(crate) args: &'a [String],
    pub(crate) input: &'a [u8],
    pub(crate) output: &'a mut Vec<u8>,
    pub(crate) host: &'a mut dyn Host,
}

impl<'a> Job<'a> {
    /// The method's name, as called; empty for the default one.
    pub fn method(&self) -> &'a str {
        self.method
    }

    pub fn args(&self) -> &'a [String] {
        self.args
    }

    /// Argument `i`, if there is one.
    pub fn arg(&self, i: usize) -> Option<&'a str> {
        self.args.get(i).map(|a| a.as_str())
    }

    /// The input, in place: it was copied into this memory once, by the host.
    pub fn input(&self) -> &'a [u8] {
        self.input
    }

    /// Appends to the output.
    pub fn write(&mut self, bytes: &[u8]) {
        self.output.extend_from_slice(bytes)
    }

    /// The output so far, to be written to directly.
    pub fn output(&mut self) -> &mut Vec<u8> {
        self.output
    }

    /// Makes room for `bytes` more of output, or fails instead of panicking.
    pub fn reserve(&mut self, bytes: usize) -> Outcome {
        self.output.try_reserve_exact(bytes).map_err(|_| Failure::no_memory(bytes))
    }

    /// A safe point. Lifecycle commands are carried out here: it sleeps while
    /// the capsule is paused, and fails when the job should stop. It costs two
    /// loads when there is nothing to do: call it every millisecond or so.
    pub fn checkpoint(&mut self) -> Result<(), Stop> {
        self.host.checkpoint()
    }

    /// A safe point too. Whether the job should stop.
    pub fn should_stop(&mut self) -> bool {
        self.host.checkpoint().is_err()
    }

    /// Tells how far the job is; `total` 0 when unknown. The caller sees the
    /// newest only, and none while the event ring is full.
    pub fn progress(&mut self, done: u64, total: u64) {
        self.host.progress(done, total)
    }

    /// Writes a line to the capsule's log, at level info.
    pub fn log(&mut self, text: &str) {
        self.host.log(0, text)
    }

    /// Writes a line at a level of log/slog: -4 debug, 0 info, 4 warn, 8 error.
    pub fn log_at(&mut self, level: i8, text: &str) {
        self.host.log(level, text)
    }

    /// Sends opaque bytes up the capsule's stream, and waits while the event
    /// ring is full.
    pub fn emit(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        self.host.emit(bytes)
    }

    /// Says that a memory of `bytes` would do better. The host hears it with the
    /// next heartbeat and may resize; see `memory` at a later safe point.
    pub fn need_memory(&mut self, bytes: u64) {
        self.host.need_memory(bytes)
    }

    /// Sees to it that `bytes` more fit into the memory, before they are allocated
    /// (which may still fail): asks the host to resize it and sleeps at safe points
    /// until it has. A host that does not within a quarter of a second lets the heap grow
    /// as far as its limit allows. Fails when the job should stop.
    pub fn make_room(&mut self, bytes: usize) -> Result<(), Stop> {
        let want = crate::heap::in_use() + bytes as u64 + SPARE;
        if self.memory() >= want {
            return Ok(());
        }
        let until = self.clock() + PATIENCE;
        self.need_memory(want);
        loop {
            self.checkpoint()?;
            if self.memory() >= want {
                return Ok(());
            }
            if self.clock() >= until {
                crate::heap::satisfied();
                return Ok(());
            }
            self.host.rest();
        }
    }

    /// The memory's length in bytes.
    pub fn memory(&self) -> u64 {
        self.host.memory()
    }

    /// The host's clock, in Unix nanoseconds, about 10 ms fine.
    pub fn clock(&self) -> i64 {
        self.host.clock()
    }
}
