//! The rings between two threads: every frame once, whole and in order.

#[path = "support/heap.rs"]
mod heap;

use heap::heap;
use inos_sdk::ring::Ring;
use inos_sdk::space::Space;

const RING: Ring = Ring { base: 256, size: 4096, head: 0, tail: 64, doorbell: 128, listening: None };

#[test]
fn frames_of_any_length_wrap_anywhere() {
    let memory = heap(8192);
    for start in (0..64u32).map(|i| (i * 72).wrapping_sub(1024)) {
        memory.store(RING.head, start);
        memory.store(RING.tail, start);
        for length in 0..=RING.max_payload() as usize {
            let payload: Vec<u8> = (0..length).map(|i| (i * 7 + length) as u8).collect();
            assert!(RING.push(&memory, 16, &payload));
            let mut got = Vec::new();
            assert_eq!(RING.pop(&memory, &mut got), Some(16));
            assert_eq!(got, payload);
            if length > 300 && start != 0 {
                break; // the long ones once
            }
        }
        assert_eq!(RING.pop(&memory, &mut Vec::new()), None);
    }
}

#[test]
fn a_full_ring_takes_nothing_and_loses_nothing() {
    let memory = heap(8192);
    let mut pushed = 0u32;
    while RING.push(&memory, 1, &pushed.to_le_bytes()) {
        pushed += 1;
    }
    assert_eq!(pushed, 4096 / 16);
    assert_eq!(RING.used(&memory), 4096);
    let mut got = Vec::new();
    for n in 0..pushed {
        assert_eq!(RING.pop(&memory, &mut got), Some(1));
        assert_eq!(got, n.to_le_bytes());
    }
}

#[test]
#[should_panic(expected = "ring broken")]
fn a_broken_ring_is_noticed() {
    let memory = heap(8192);
    memory.store(RING.tail, 16);
    memory.store(RING.base, 1 << 30);
    RING.pop(&memory, &mut Vec::new());
}

#[test]
fn two_threads_pass_random_frames() {
    const FRAMES: u32 = 100_000;
    let memory = heap(8192);
    // The counters wrap around on the way.
    memory.store(RING.head, u32::MAX - 1023);
    memory.store(RING.tail, u32::MAX - 1023);
    let length = |n: u32| (n.wrapping_mul(2654435761) >> 24) as usize;
    let producer = std::thread::spawn(move || {
        for n in 0..FRAMES {
            let payload = vec![n as u8; length(n)];
            while !RING.push(&memory, (n & 0xffff) as u16, &payload) {
                std::thread::yield_now();
            }
        }
    });
    let mut got = Vec::new();
    for n in 0..FRAMES {
        let kind = loop {
            match RING.pop(&memory, &mut got) {
                Some(kind) => break kind,
                None => std::thread::yield_now(),
            }
        };
        assert_eq!(kind, (n & 0xffff) as u16);
        assert_eq!(got, vec![n as u8; length(n)], "frame {n}");
    }
    producer.join().unwrap();
}
