//! The rings in every interleaving of producer and consumer, with every value
//! that weakly ordered memory may show: no frame is read before it is whole or
//! overwritten before it is read (that would be a data race), none is lost, none
//! comes twice, and nobody sleeps for ever (that would be a deadlock).

use inos_sdk::ring::Ring;
use inos_sdk::space::Space;
use loom::cell::UnsafeCell;
use loom::sync::atomic::{fence, AtomicU32, Ordering::*};
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;
use std::time::Duration;

/// Two frames of 8 bytes fit.
const RING: Ring = Ring { base: 64, size: 32, head: 0, tail: 4, doorbell: 8, listening: Some(LISTENING) };
const WAITING: u32 = 12;
const ROOM: u32 = 16;
const LISTENING: u32 = 20;
/// The ring to the capsule, which the host always notifies.
const COMMANDS: Ring = Ring { listening: None, ..RING };
const NEVER: Duration = Duration::MAX;

/// A shared memory of a few words and the bytes of one ring, whose accesses loom
/// watches.
struct Model {
    words: Vec<AtomicU32>,
    bytes: Vec<UnsafeCell<[u8; 8]>>,
    lock: Mutex<()>,
    rung: Condvar,
}

impl Model {
    fn new(counters: u32) -> Arc<Model> {
        let words: Vec<_> = (0..6).map(|_| AtomicU32::new(0)).collect();
        words[0].store(counters, Relaxed);
        words[1].store(counters, Relaxed);
        let bytes = (0..RING.size / 8).map(|_| UnsafeCell::new([0; 8])).collect();
        Arc::new(Model { words, bytes, lock: Mutex::new(()), rung: Condvar::new() })
    }

    fn cells(&self, at: u32, length: usize) -> impl Iterator<Item = &UnsafeCell<[u8; 8]>> {
        let first = (at - RING.base) as usize / 8;
        self.bytes[first..first + length.div_ceil(8)].iter()
    }
}

// loom takes SeqCst for AcqRel, so the one order of all accesses, which the SDK's
// SeqCst has, is made by fences.
impl Space for Model {
    fn load(&self, at: u32) -> u32 {
        fence(SeqCst);
        self.words[at as usize / 4].load(Acquire)
    }
    fn store(&self, at: u32, value: u32) {
        self.words[at as usize / 4].store(value, Release);
        fence(SeqCst);
    }
    fn load64(&self, _: u32) -> u64 {
        unreachable!()
    }
    fn read(&self, at: u32, into: &mut [u8]) {
        for (cell, part) in self.cells(at, into.len()).zip(into.chunks_mut(8)) {
            // SAFETY: loom fails the test if anyone writes meanwhile.
            cell.with(|p| part.copy_from_slice(unsafe { &(&*p)[..part.len()] }));
        }
    }
    fn write(&self, at: u32, from: &[u8]) {
        for (cell, part) in self.cells(at, from.len()).zip(from.chunks(8)) {
            // SAFETY: as above.
            cell.with_mut(|p| unsafe { (&mut *p)[..part.len()].copy_from_slice(part) });
        }
    }
    fn notify(&self, _: u32) {
        let _guard = self.lock.lock().unwrap();
        self.rung.notify_all();
    }
    fn wait(&self, at: u32, expected: u32, timeout: Duration) -> bool {
        assert_eq!(timeout, NEVER, "a timeout would hide a lost wake-up");
        let guard = self.lock.lock().unwrap();
        if self.load(at) == expected {
            drop(self.rung.wait(guard).unwrap());
        }
        false
    }
    fn length(&self) -> u64 {
        unreachable!()
    }
}

/// Sleeps until the doorbell has changed, as a host does.
fn listen(memory: &Model, seen: u32) {
    memory.store(LISTENING, 1);
    if memory.load(RING.doorbell) == seen {
        memory.wait(LISTENING, 1, NEVER);
    }
    memory.store(LISTENING, 0);
}

/// Takes `frames` frames, sleeping in between, and wakes a producer that
/// waits for room, as a host does.
fn consume(memory: &Model, frames: u64) {
    let mut got = Vec::new();
    for n in 0..frames {
        let kind = loop {
            let seen = memory.load(RING.doorbell);
            if let Some(kind) = RING.pop(memory, &mut got) {
                break kind;
            }
            listen(memory, seen);
        };
        if memory.load(WAITING) != 0 {
            memory.store(ROOM, memory.load(ROOM).wrapping_add(1));
            memory.notify(ROOM);
        }
        assert_eq!((kind, &got[..]), (n as u16, &(n * 0x0101).to_le_bytes()[..]));
    }
    assert_eq!(RING.pop(memory, &mut got), None);
}

fn produce(memory: &Model, frames: u64) {
    for n in 0..frames {
        let payload = (n * 0x0101).to_le_bytes();
        while !RING.push_or_sleep(memory, n as u16, &payload, (WAITING, ROOM), NEVER, || false) {}
    }
}

fn check(counters: u32, frames: u64, preemptions: usize) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(preemptions);
    model.check(move || {
        let memory = Model::new(counters);
        let theirs = memory.clone();
        let producer = thread::spawn(move || produce(&theirs, frames));
        consume(&memory, frames);
        producer.join().unwrap();
    });
}

#[test]
fn frames_arrive_whole_once_and_in_order() {
    check(0, 2, 4);
}

#[test]
fn a_full_ring_loses_no_wake_up() {
    check(0, 3, 3);
}

/// The counters pass 2^32 and the ring's end between two frames.
#[test]
fn the_counters_wrap_around() {
    check(u32::MAX - 15, 3, 2);
}

/// As a capsule's turn does it: all that is there, then one look at the waiting
/// word.
fn consume_in_turns(memory: &Model, frames: u64) {
    let mut got = Vec::new();
    let mut n = 0;
    while n < frames {
        let seen = memory.load(COMMANDS.doorbell);
        let mut freed = false;
        while let Some(kind) = COMMANDS.pop(memory, &mut got) {
            assert_eq!((kind, &got[..]), (n as u16, &(n * 0x0101).to_le_bytes()[..]));
            n += 1;
            freed = true;
        }
        if freed && memory.load(WAITING) != 0 {
            memory.store(ROOM, memory.load(ROOM).wrapping_add(1));
            memory.notify(ROOM);
        }
        if !freed {
            memory.wait(COMMANDS.doorbell, seen, NEVER);
        }
    }
}

/// As a host does it: the waiting word stays set until all is sent, and what it
/// sleeps on is a doorbell that it has read before it last found the ring full.
fn produce_as_a_host(memory: &Model, frames: u64) {
    let mut waits = false;
    for n in 0..frames {
        let payload = (n * 0x0101).to_le_bytes();
        loop {
            let seen = memory.load(ROOM);
            if COMMANDS.push(memory, n as u16, &payload) {
                break;
            }
            if !waits {
                memory.store(WAITING, 1);
                waits = true;
                continue; // the second look
            }
            memory.wait(ROOM, seen, NEVER);
        }
    }
    if waits {
        memory.store(WAITING, 0);
    }
}

#[test]
fn a_waiting_host_is_rung() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let memory = Model::new(0);
        let theirs = memory.clone();
        let host = thread::spawn(move || produce_as_a_host(&theirs, 3));
        consume_in_turns(&memory, 3);
        host.join().unwrap();
    });
}

/// The model finds what it is for: a consumer that looks for a waiting producer
/// before it frees the room leaves it asleep.
#[test]
#[should_panic(expected = "deadlock")]
fn a_lost_wake_up_is_found() {
    loom::model(|| {
        let memory = Model::new(0);
        let theirs = memory.clone();
        thread::spawn(move || produce(&theirs, 3));
        let mut got = Vec::new();
        while RING.used(&*memory) == 0 {
            thread::yield_now();
        }
        let waits = memory.load(WAITING) != 0;
        RING.pop(&*memory, &mut got);
        if waits {
            memory.store(ROOM, 1);
            memory.notify(ROOM);
        }
    });
}

/// It finds too a capsule that looks whether the host listens before it rings.
#[test]
#[should_panic(expected = "deadlock")]
fn a_look_before_the_ring_is_found() {
    loom::model(|| {
        let memory = Model::new(0);
        let theirs = memory.clone();
        thread::spawn(move || {
            let listens = theirs.load(LISTENING) != 0;
            theirs.store(RING.doorbell, 1);
            if listens {
                theirs.store(LISTENING, 0);
                theirs.notify(LISTENING);
            }
        });
        listen(&memory, 0);
    });
}
