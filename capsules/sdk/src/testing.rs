//! Runs a method natively, for a capsule's own unit tests.

use crate::job::{Failure, Host, Job, Stop};
use crate::message::RunCode;
use crate::runner::Definition;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// What a job said besides its output.
#[derive(Default)]
pub struct Heard {
    pub progress: Vec<(u64, u64)>,
    pub logs: Vec<(i8, String)>,
    pub data: Vec<Vec<u8>>,
    pub wanted: u64,
    /// How many safe points pass before the job is told to stop; None never.
    pub stop_after: Option<usize>,
}

impl Host for Heard {
    fn checkpoint(&mut self) -> Result<(), Stop> {
        match &mut self.stop_after {
            Some(0) => Err(Stop::Killed),
            Some(n) => {
                *n -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
    fn progress(&mut self, done: u64, total: u64) {
        self.progress.push((done, total));
    }
    fn log(&mut self, level: i8, text: &str) {
        self.logs.push((level, text.into()));
    }
    fn emit(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        self.data.push(bytes.to_vec());
        Ok(())
    }
    fn need_memory(&mut self, bytes: u64) {
        self.wanted = bytes;
    }
    fn rest(&mut self) {}
    fn memory(&self) -> u64 {
        u64::MAX
    }
    fn clock(&self) -> i64 {
        0
    }
}

/// Calls a method and returns its output.
pub fn call(definition: &Definition, method: &str, args: &[&str], input: &[u8]) -> Result<Vec<u8>, Failure> {
    call_with(&mut Heard::default(), definition, method, args, input)
}

/// As `call`, with an ear for what the job says.
pub fn call_with(
    heard: &mut Heard,
    definition: &Definition,
    method: &str,
    args: &[&str],
    input: &[u8],
) -> Result<Vec<u8>, Failure> {
    let Some(f) = definition.method(method) else {
        return Err(Failure { code: RunCode::UnknownMethod, message: definition.unknown(method) });
    };
    let args: Vec<String> = args.iter().map(|a| a.to_string()).collect();
    let mut output = Vec::new();
    f(&mut Job { method, args: &args, input, output: &mut output, host: heard })?;
    Ok(output)
}

/// Gives a capsule one frame of a stream and returns what it sent back.
pub fn feed(definition: &Definition, frame: &[u8]) -> Result<Vec<Vec<u8>>, Failure> {
    let Some(take) = definition.data else {
        return Err(Failure::failed("this capsule takes no stream data"));
    };
    let mut heard = Heard::default();
    take(&mut Job { method: "", args: &[], input: frame, output: &mut Vec::new(), host: &mut heard })?;
    Ok(heard.data)
}
