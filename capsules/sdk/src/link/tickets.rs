//! Jobs by ticket: their room for input, their output, their end.

use super::{Link, Waiting};
use crate::input::Input;
use crate::layout::*;
use crate::message::{self, Run, RunCode};
use crate::space::Space;
use alloc::vec::Vec;

/// Removes what belongs to a ticket.
fn take<T>(from: &mut Vec<(u64, T)>, ticket: u64) -> Option<T> {
    let i = from.iter().position(|x| x.0 == ticket)?;
    Some(from.swap_remove(i).1)
}

impl<S: Space + Copy> Link<S> {
    pub(super) fn reserve(&mut self, ticket: u64, bytes: u64) {
        let input = usize::try_from(bytes).ok().and_then(Input::new);
        let place = input.as_ref().map(|r| (r.address(), bytes));
        if let Some(input) = input {
            self.inputs.push((ticket, input));
        }
        self.send(FRAME_RESERVED, &message::reserved(ticket, place));
    }

    /// A release before the job's end cancels it.
    pub(super) fn release(&mut self, ticket: u64) {
        take(&mut self.outputs, ticket);
        take(&mut self.inputs, ticket);
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
    pub fn input_of(&mut self, run: &Run) -> Option<Input> {
        if run.length == 0 {
            take(&mut self.inputs, run.ticket);
            return Some(Input::empty());
        }
        let mut input = take(&mut self.inputs, run.ticket)?;
        let fits = input.address() == run.offset && input.cut(run.length);
        fits.then_some(input)
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
}
