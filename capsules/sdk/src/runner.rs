//! The loop of a capsule: one job at a time, lifecycle commands between them
//! and at every safe point.

use crate::control::Control;
use crate::job::{Host, Job, Method, Outcome};
use crate::layout::{OFF_STATE, STATE_STOPPED};
use crate::link::{Link, Waiting};
use crate::message::{Run, RunCode};
use crate::space::Space;
use alloc::string::String;
use alloc::vec::Vec;

/// What a capsule is: made by `capsule!`.
pub struct Definition {
    /// Names and functions; the first is the default.
    pub methods: &'static [(&'static str, Method)],
    /// Takes the bytes of a stream, one frame at a time, as a job without a
    /// caller: its input is the frame, its output goes nowhere (see Job::emit).
    pub data: Option<Method>,
}

impl Definition {
    pub(crate) fn method(&self, name: &str) -> Option<Method> {
        match name {
            "" => self.methods.first(),
            _ => self.methods.iter().find(|m| m.0 == name),
        }
        .map(|m| m.1)
    }

    pub(crate) fn unknown(&self, name: &str) -> String {
        // Without {:?}: it would bring the tables of what is printable along.
        let mut text = String::from("\"") + name + "\"; there is";
        for (i, m) in self.methods.iter().enumerate() {
            text += if i == 0 { " " } else { ", " };
            text += m.0;
        }
        text
    }
}

/// The rings' sizes in bytes.
pub const COMMAND_RING: u32 = 64 << 10;
pub const EVENT_RING: u32 = 128 << 10;

/// Runs a capsule until it is killed.
pub fn run<S: Space + Copy>(definition: &Definition, control: Control<S>, commands: (u32, u32), events: (u32, u32)) {
    let (commands, events) = control.publish(commands, events);
    live(definition, &mut Link::new(control, commands, events));
}

/// The loop of a capsule whose control block is published.
pub(crate) fn live<S: Space + Copy>(definition: &Definition, link: &mut Link<S>) {
    let control = link.control;
    loop {
        link.turn();
        if link.stopping() {
            break;
        }
        match link.next() {
            Some(Waiting::Run(run)) => work(definition, link, run),
            Some(Waiting::Data(bytes)) => data(definition, link, &bytes),
            None => link.idle(),
        }
    }
    control.store(OFF_STATE, STATE_STOPPED);
    control.ring_host();
}

fn work<S: Space + Copy>(definition: &Definition, link: &mut Link<S>, run: Run) {
    link.begin(run.ticket);
    let Some(method) = definition.method(&run.method) else {
        return link.finish(RunCode::UnknownMethod, &definition.unknown(&run.method), Vec::new());
    };
    let Some(input) = link.input_of(&run) else {
        return link.finish(RunCode::BadInput, "the input does not lie where it was reserved", Vec::new());
    };
    let mut output = Vec::new();
    let outcome = timed(link, |link| {
        method(&mut Job { method: &run.method, args: &run.args, input: input.bytes(), output: &mut output, host: link })
    });
    drop(input);
    match outcome {
        Ok(()) => link.finish(RunCode::Ok, "", output),
        Err(f) => link.finish(f.code, &f.message, Vec::new()),
    }
}

fn data<S: Space + Copy>(definition: &Definition, link: &mut Link<S>, bytes: &[u8]) {
    let Some(take) = definition.data else {
        return link.log(4, "inos-sdk: this capsule takes no stream data");
    };
    let mut output = Vec::new();
    let outcome =
        timed(link, |link| take(&mut Job { method: "", args: &[], input: bytes, output: &mut output, host: link }));
    if let Err(f) = outcome {
        link.log(8, &f.message);
    }
}

/// Counts the time of a job, as fine as the host's clock is.
fn timed<S: Space + Copy>(link: &mut Link<S>, job: impl FnOnce(&mut Link<S>) -> Outcome) -> Outcome {
    let start = link.control.clock();
    link.at_work = true;
    let outcome = job(link);
    link.at_work = false;
    link.cpu_time_ns += (link.control.clock() - start).max(0);
    outcome
}
