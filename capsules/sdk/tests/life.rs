//! The loop of a capsule, natively, with a host on the other side.

// The host speaks by the capnp crate, the capsule by the SDK's own flat messages.
#[allow(dead_code, clippy::all, unused_qualifications)]
#[rustfmt::skip]
#[path = "../src/generated/capsule_capnp.rs"]
mod capsule_capnp;
#[allow(dead_code, clippy::all, unused_qualifications)]
#[rustfmt::skip]
#[path = "../src/generated/orchestration_capnp.rs"]
mod orchestration_capnp;
mod support;

use capsule_capnp::RunCode;
use inos_sdk::layout::*;
use inos_sdk::{Definition, Job, Outcome};
use orchestration_capnp::{CommandType, ReplyCode};
use support::{bytes, params_kill, params_resize, Event, Host};

fn reverse(job: &mut Job) -> Outcome {
    let mut out = job.input().to_vec();
    out.reverse();
    job.write(&out);
    Ok(())
}

fn work(job: &mut Job) -> Outcome {
    job.log("at work");
    loop {
        job.checkpoint()?;
    }
}

fn chatter(job: &mut Job) -> Outcome {
    for n in 0..1000u32 {
        job.emit(&n.to_le_bytes())?;
    }
    Ok(())
}

fn mirror(job: &mut Job) -> Outcome {
    let input = job.input();
    Ok(job.emit(input)?)
}

static CAPSULE: Definition =
    Definition { methods: &[("reverse", reverse), ("work", work), ("chatter", chatter)], data: Some(mirror) };

#[test]
fn beats_first_and_runs_a_job() {
    let mut host = Host::start(&CAPSULE);
    let Event::Beat { sequence: 1, epoch: 1, paused: false, jobs: 0, .. } = host.next() else { panic!() };
    let at = host.reserve(1, 8);
    // SAFETY: just reserved.
    unsafe { bytes(at, 8) }.copy_from_slice(b"stressed");
    host.run(1, "", &[], at, 8);
    assert_eq!(host.done(1), (RunCode::Ok, String::new(), b"desserts".to_vec()));
    host.release(1);
    host.run(2, "nope", &[], 0, 0);
    let (code, message, _) = host.done(2);
    assert_eq!((code, &*message), (RunCode::UnknownMethod, r#""nope"; there is reverse, work, chatter"#));
}

#[test]
fn input_must_lie_where_it_was_reserved() {
    let mut host = Host::start(&CAPSULE);
    host.run(1, "reverse", &[], 4096, 8);
    assert_eq!(host.done(1).0, RunCode::BadInput);
    let at = host.reserve(2, 8);
    host.run(2, "reverse", &[], at, 9);
    assert_eq!(host.done(2).0, RunCode::BadInput);
    let at = host.reserve(3, 8);
    host.run(3, "reverse", &[], at + 1, 7);
    assert_eq!(host.done(3).0, RunCode::BadInput);
}

#[test]
fn no_memory_is_an_answer() {
    let mut host = Host::start(&CAPSULE);
    assert_eq!(host.reserve(1, u64::MAX / 2), 0);
}

#[test]
fn a_pause_holds_jobs_back_but_not_commands() {
    let mut host = Host::start(&CAPSULE);
    assert_eq!(host.ask("1", CommandType::Pause, &[]), ReplyCode::Ok);
    assert_eq!(host.word(OFF_STATE), STATE_PAUSED);
    host.run(1, "reverse", &[], 0, 0);
    assert_eq!(host.ask("2", CommandType::Pause, &[]), ReplyCode::Ok);
    assert_eq!(host.ask("3", CommandType::Snapshot, &[]), ReplyCode::Unsupported);
    assert_eq!(host.ask("4", CommandType::ResizeMem, &params_resize(64 << 10)), ReplyCode::Ok);
    assert_eq!(host.ask("5", CommandType::ResizeMem, &params_resize(1 << 30)), ReplyCode::Refused);
    assert_eq!(host.word(OFF_COMMAND_HEAD), host.word(OFF_COMMAND_TAIL), "all was taken");
    host.command("6", CommandType::Resume, &[]);
    // The reply comes before the end of the job.
    let first = host.until(|e| match e {
        Event::Reply { id, .. } => Some(id.clone()),
        Event::Done { .. } => Some("the job".into()),
        _ => None,
    });
    assert_eq!(first, "6");
    assert_eq!(host.done(1).0, RunCode::Ok);
    assert_eq!(host.word(OFF_STATE), STATE_RUNNING);
}

#[test]
fn a_pause_in_a_job_is_heard_at_its_safe_point() {
    let mut host = Host::start(&CAPSULE);
    host.run(1, "work", &[], 0, 0);
    host.until(|e| matches!(e, Event::Log(_)).then_some(()));
    host.command("p", CommandType::Pause, &[]);
    let id = host.until(|e| match e {
        Event::Beat { paused: true, id, .. } => Some(id.clone()),
        _ => None,
    });
    assert_eq!(id, "k", "it has learnt its name");
    host.release(1); // cancels; but it is paused
    assert_eq!(host.ask("r", CommandType::Resume, &[]), ReplyCode::Ok);
    assert_eq!(host.done(1).1, "cancelled");
}

#[test]
fn release_cancels_a_job_that_waits() {
    let mut host = Host::start(&CAPSULE);
    host.run(1, "work", &[], 0, 0);
    host.run(2, "reverse", &[], 0, 0);
    host.release(2);
    assert_eq!(host.done(2).1, "cancelled");
    host.release(1);
    assert_eq!(host.done(1).1, "cancelled");
}

#[test]
fn a_kill_command_lets_a_job_go_on_for_its_grace() {
    let mut host = Host::start(&CAPSULE);
    host.run(1, "work", &[], 0, 0);
    host.until(|e| matches!(e, Event::Log(_)).then_some(()));
    assert_eq!(host.ask("k", CommandType::Kill, &params_kill(1000)), ReplyCode::Ok);
    assert_eq!(host.ask("x", CommandType::Resume, &[]), ReplyCode::Ok, "still there");
    host.set(OFF_CLOCK, 1000);
    assert_eq!(host.done(1).1, "killed");
}

#[test]
fn congestion_is_raised_and_cleared() {
    let mut host = Host::start(&CAPSULE);
    host.run(1, "work", &[], 0, 0);
    host.until(|e| matches!(e, Event::Log(_)).then_some(()));
    // While the job runs, data waits in the inbox.
    for _ in 0..4 {
        host.send(FRAME_DATA, &[0; 900]);
    }
    host.until(|e| matches!(e, Event::Beat { congested: true, .. }).then_some(()));
    host.release(1);
    host.until(|e| matches!(e, Event::Beat { congested: false, .. }).then_some(()));
}

#[test]
fn a_slow_host_holds_the_capsule_back_and_loses_nothing() {
    let mut host = Host::start(&CAPSULE);
    host.run(1, "chatter", &[], 0, 0);
    while host.word(OFF_EVENT_WAITING) == 0 {
        std::thread::yield_now();
    }
    let mut next = 0u32;
    while next < 1000 {
        if let Event::Data(d) = host.next() {
            assert_eq!(d, next.to_le_bytes());
            next += 1;
        }
    }
    assert_eq!(host.done(1).0, RunCode::Ok);
}

#[test]
fn killed_while_the_event_ring_is_full() {
    let host = Host::start(&CAPSULE);
    host.run(1, "chatter", &[], 0, 0);
    while host.word(OFF_EVENT_WAITING) == 0 {
        std::thread::yield_now();
    }
    drop(host); // kills, and fails if the loop does not return
}

#[test]
fn a_new_epoch_starts_the_sequence_again() {
    let mut host = Host::start(&CAPSULE);
    host.next();
    host.set(OFF_MEMORY_EPOCH, 2);
    host.command("r", CommandType::ResizeMem, &params_resize(64 << 10));
    let mut replied = false;
    loop {
        match host.next() {
            Event::Reply { epoch, .. } => {
                assert_eq!(epoch, 2);
                replied = true;
            }
            Event::Beat { epoch: 2, sequence, .. } => {
                assert_eq!(sequence, 1);
                break;
            }
            Event::Beat { epoch: 1, .. } => {}
            e => panic!("{e:?}"),
        }
    }
    assert!(replied);
}

#[test]
fn garbage_from_the_host_is_logged_and_survived() {
    let mut host = Host::start(&CAPSULE);
    host.send(FRAME_COMMAND, &[0xff; 24]);
    host.send(99, &[]);
    let logs: Vec<String> = (0..2)
        .map(|_| {
            host.until(|e| match e {
                Event::Log(text) => Some(text.clone()),
                _ => None,
            })
        })
        .collect();
    assert_eq!(logs, ["inos-sdk: malformed frame of kind 1", "inos-sdk: malformed frame of kind 99"]);
    assert_eq!(host.ask("1", CommandType::Resume, &[]), ReplyCode::Ok);
}
