//! Every way a capsule can go wrong, on demand, and a few ways to go right: for
//! tests of hosts.
#![cfg_attr(target_arch = "wasm32", no_std)]

use inos_sdk::alloc::{format, vec::Vec};
use inos_sdk::{capsule, Failure, Job, Method, Outcome, State};

/// Returns the input, after a log line for each argument.
fn echo(job: &mut Job) -> Outcome {
    for arg in job.args() {
        job.log(arg);
    }
    job.reserve(job.input().len())?;
    job.write(job.input());
    Ok(())
}

/// The arguments that the capsule was spawned with, one a line.
fn args(job: &mut Job) -> Outcome {
    for arg in inos_sdk::args() {
        job.write(format!("{arg}\n").as_bytes());
    }
    Ok(())
}

/// Works until it is told to stop, reporting progress; reaches safe points.
fn work(job: &mut Job) -> Outcome {
    let mut n = 0;
    loop {
        job.checkpoint()?;
        n += 1;
        job.progress(n, 0);
    }
}

/// Works for as many safe points as the first argument says, then returns
/// their number.
fn count(job: &mut Job) -> Outcome {
    let steps = number(job, 0)?;
    for n in 0..steps {
        job.checkpoint()?;
        job.progress(n + 1, steps);
    }
    job.write(format!("{steps}").as_bytes());
    Ok(())
}

/// Sends as many stream frames as the first argument says, each of as many bytes
/// as the second; the first 8 count up.
fn emit(job: &mut Job) -> Outcome {
    let (frames, size) = (number(job, 0)?, number(job, 1)?.max(8));
    let mut frame = inos_sdk::alloc::vec![0u8; size as usize];
    for n in 0..frames {
        frame[..8].copy_from_slice(&n.to_le_bytes());
        job.emit(&frame)?;
    }
    Ok(())
}

/// What became of stream data since `sink`; None while it is sent back.
static SUNK: State<Option<Sunk>> = State::new(None);

struct Sunk {
    bytes: u64,
    sum: u64,
    /// Turns of a loop that each frame costs.
    delay: u64,
}

/// What is done with stream data instead, by name.
static TASK: State<Option<Method>> = State::new(None);

/// From now on does with each frame of a stream what the method named by the first
/// argument does.
fn data(job: &mut Job) -> Outcome {
    let name = job.arg(0).unwrap_or("");
    let method = CAPSULE.methods.iter().find(|m| m.0 == name).map(|m| m.1);
    TASK.with(|task| *task = method);
    method.map(|_| ()).ok_or_else(|| Failure::bad_input(name))
}

/// Takes stream data and sends it back, or adds it up slowly, or does a task.
fn take(job: &mut Job) -> Outcome {
    if let Some(method) = TASK.with(|task| *task) {
        return method(job);
    }
    let input = job.input();
    let sunk = SUNK.with(|sunk| match sunk {
        None => false,
        Some(sunk) => {
            sunk.bytes += input.len() as u64;
            sunk.sum = input.iter().fold(sunk.sum, |h, &b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
            for n in 0..sunk.delay {
                core::hint::black_box(n);
            }
            true
        }
    });
    if !sunk {
        job.emit(input)?;
    }
    Ok(())
}

/// From now on adds stream data up, each frame as slowly as the first argument
/// says. Answers "bytes sum" of what came since the last call, in FNV-1a.
fn sink(job: &mut Job) -> Outcome {
    let delay = number(job, 0)?;
    let fresh = Sunk { bytes: 0, sum: 0xcbf2_9ce4_8422_2325, delay };
    if let Some(was) = SUNK.with(|sunk| sunk.replace(fresh)) {
        job.write(format!("{} {:x}", was.bytes, was.sum).as_bytes());
    }
    Ok(())
}

/// Makes room for 1 GiB, which no host gives it, and says so on its stream.
fn room(job: &mut Job) -> Outcome {
    job.make_room(1 << 30)?;
    Ok(job.emit(b"went on without")?)
}

/// Asks for a memory of as many bytes as the first argument says and waits until
/// it has them.
fn hunger(job: &mut Job) -> Outcome {
    let bytes = number(job, 0)?;
    job.need_memory(bytes);
    while job.memory() < bytes {
        job.checkpoint()?;
    }
    Ok(())
}

fn panic(_: &mut Job) -> Outcome {
    panic!("on demand: ünïcode and all")
}

/// An instruction that ends the thread without a word.
fn trap(_: &mut Job) -> Outcome {
    #[cfg(target_arch = "wasm32")]
    core::arch::wasm32::unreachable();
    #[cfg(not(target_arch = "wasm32"))]
    Err(Failure::failed("traps in a capsule only"))
}

/// Writes to its log and does nothing else.
fn chat(job: &mut Job) -> Outcome {
    loop {
        job.log("x");
    }
}

/// Loops without a safe point.
fn spin(job: &mut Job) -> Outcome {
    job.progress(0, 0);
    loop {
        core::hint::black_box(());
    }
}

/// Recurses until the stack is used up.
fn overflow(_: &mut Job) -> Outcome {
    fn deeper(n: u64) -> u64 {
        let here = core::hint::black_box([n; 64]);
        if n == u64::MAX {
            return 0;
        }
        deeper(n + 1) + here[(n % 64) as usize]
    }
    Err(Failure::failed(deeper(0)))
}

/// Takes all memory there is and says how much it was.
fn grab(job: &mut Job) -> Outcome {
    let mut all: Vec<Vec<u8>> = Vec::new();
    loop {
        let mut block = Vec::new();
        if block.try_reserve_exact(1 << 20).is_err() {
            break;
        }
        all.push(block);
    }
    let got = all.len();
    drop(all);
    Err(Failure { code: inos_sdk::RunCode::NoMemory, message: format!("{got} MiB taken of {}", job.memory() >> 20) })
}

/// Breaks the event ring as the first argument says.
#[cfg(target_arch = "wasm32")]
fn lie(job: &mut Job) -> Outcome {
    use inos_sdk::control::Control;
    use inos_sdk::layout::*;
    use inos_sdk::space::{Linear, Space};
    let c: Control<Linear> = inos_sdk::start::control();
    let tail = c.load(OFF_EVENT_TAIL);
    let base = c.load(OFF_EVENT_BASE);
    let size = c.load(OFF_EVENT_SIZE);
    let at = base + (tail & (size - 1));
    match job.arg(0).unwrap_or("") {
        // More unread than the ring holds.
        "tail" => c.store(OFF_EVENT_TAIL, tail.wrapping_add(size + 8)),
        "misaligned" => c.store(OFF_EVENT_TAIL, tail.wrapping_add(3)),
        // A frame longer than what was written.
        "length" => {
            c.space.store(at, 0xffff_fff0);
            c.space.store(at + 4, u32::from(FRAME_LOG));
            c.store(OFF_EVENT_TAIL, tail.wrapping_add(16));
        }
        // Bytes that are no message, of a kind that should be one.
        "garbage" => {
            c.space.store(at, 8);
            c.space.store(at + 4, u32::from(FRAME_HEARTBEAT));
            c.space.store(at + 8, 0xdead_beef);
            c.space.store(at + 12, 0xdead_beef);
            c.store(OFF_EVENT_TAIL, tail.wrapping_add(16));
        }
        // A head of the command ring that passes its tail.
        "head" => {
            c.store(OFF_COMMAND_HEAD, c.load(OFF_COMMAND_TAIL).wrapping_add(1 << 30));
            job.progress(1, 1);
        }
        // An answer to a ticket that nobody holds, and an output outside.
        "ticket" => frame(&c, FRAME_RUN_DONE, &inos_sdk::message::run_done(1 << 40, inos_sdk::RunCode::Ok, "", 0, 0)),
        "output" => {
            let ticket = number(job, 1)?;
            frame(
                &c,
                FRAME_RUN_DONE,
                &inos_sdk::message::run_done(ticket, inos_sdk::RunCode::Ok, "", 0xffff_0000, 1 << 20),
            )
        }
        // A ring that is full whenever anyone looks.
        "drown" => {
            for i in 0..size / 8 {
                c.space.store(base + 8 * i, 0);
                c.space.store(base + 8 * i + 4, u32::from(FRAME_DATA));
            }
            loop {
                c.store(OFF_EVENT_TAIL, c.load(OFF_EVENT_HEAD).wrapping_add(size));
                c.ring_host();
            }
        }
        // Heartbeats, one after the other.
        "beats" => loop {
            frame(
                &c,
                FRAME_HEARTBEAT,
                &inos_sdk::message::heartbeat(&inos_sdk::message::Heartbeat {
                    capsule_id: inos_sdk::alloc::string::String::new(),
                    status: inos_sdk::message::Status::Healthy,
                    memory_usage: 0,
                    cpu_time_ns: 0,
                    congested: false,
                    sequence: 1,
                    memory_epoch: 1,
                    paused: false,
                    jobs_done: 0,
                    wanted_bytes: 0,
                }),
            );
        },
        // Frames that change while they are read: their lengths, their kinds and
        // the tail behind which they lie.
        "flicker" => loop {
            let tail = c.load(OFF_EVENT_TAIL);
            for (length, kind) in [(8, FRAME_LOG), (0xfff0, FRAME_DATA), (8, FRAME_REPLY), (24, 0xffff)] {
                c.space.store(base + (tail & (size - 1)), length);
                c.space.store(base + (tail & (size - 1)) + 4, u32::from(kind));
                c.store(OFF_EVENT_TAIL, tail.wrapping_add(16));
                c.ring_host();
            }
        },
        other => return Err(Failure::bad_input(other)),
    }
    c.ring_host();
    // No safe point: the SDK would notice some of these itself.
    while !c.killed() {
        core::hint::black_box(());
    }
    Err(Failure::failed("killed"))
}

#[cfg(target_arch = "wasm32")]
fn frame(c: &inos_sdk::control::Control<inos_sdk::space::Linear>, kind: u16, payload: &[u8]) {
    c.event_ring().push(&c.space, kind, payload);
}

#[cfg(not(target_arch = "wasm32"))]
fn lie(_: &mut Job) -> Outcome {
    Err(Failure::failed("lies in a capsule only"))
}

fn number(job: &Job, i: usize) -> Result<u64, Failure> {
    job.arg(i).and_then(|a| a.parse().ok()).ok_or_else(|| Failure::bad_input(format!("argument {i} must be a number")))
}

capsule! {
    methods: {
        "echo" => echo,
        "args" => args,
        "work" => work,
        "count" => count,
        "emit" => emit,
        "hunger" => hunger,
        "room" => room,
        "data" => data,
        "chat" => chat,
        "sink" => sink,
        "panic" => panic,
        "trap" => trap,
        "spin" => spin,
        "overflow" => overflow,
        "grab" => grab,
        "lie" => lie,
    },
    data: take,
}

#[cfg(test)]
mod tests {
    use super::CAPSULE;
    use inos_sdk::testing::{call, call_with, Heard};
    use inos_sdk::RunCode;

    #[test]
    fn echo_logs_its_arguments() {
        let mut heard = Heard::default();
        assert_eq!(call_with(&mut heard, &CAPSULE, "", &["a", "b"], b"in").unwrap(), b"in");
        assert_eq!(heard.logs, [(0, "a".into()), (0, "b".into())]);
    }

    #[test]
    fn count_wants_a_number() {
        assert_eq!(call(&CAPSULE, "count", &["3"], b"").unwrap(), b"3");
        assert_eq!(call(&CAPSULE, "count", &["x"], b"").unwrap_err().code, RunCode::BadInput);
    }
}
