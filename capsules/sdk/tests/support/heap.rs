//! A shared memory on the native heap.

use inos_sdk::space::Space;
use std::sync::atomic::{AtomicU32, AtomicU8, Ordering::SeqCst};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

pub struct Heap {
    words: Vec<AtomicU32>,
    lock: Mutex<()>,
    rung: Condvar,
}

pub type Shared = &'static Heap;

pub fn heap(bytes: usize) -> Shared {
    let words = (0..bytes / 4).map(|_| AtomicU32::new(0)).collect();
    Box::leak(Box::new(Heap { words, lock: Mutex::new(()), rung: Condvar::new() }))
}

impl Heap {
    fn byte(&self, at: u32) -> &AtomicU8 {
        assert!((at as usize) < self.words.len() * 4, "outside the memory");
        // SAFETY: within words.
        unsafe { &*(self.words.as_ptr() as *const AtomicU8).add(at as usize) }
    }
}

impl Space for Shared {
    fn load(&self, at: u32) -> u32 {
        self.words[at as usize / 4].load(SeqCst)
    }
    fn store(&self, at: u32, value: u32) {
        self.words[at as usize / 4].store(value, SeqCst)
    }
    fn load64(&self, at: u32) -> u64 {
        u64::from(self.load(at)) | u64::from(self.load(at + 4)) << 32
    }
    fn read(&self, at: u32, into: &mut [u8]) {
        for (i, b) in into.iter_mut().enumerate() {
            *b = self.byte(at + i as u32).load(SeqCst);
        }
    }
    fn write(&self, at: u32, from: &[u8]) {
        for (i, b) in from.iter().enumerate() {
            self.byte(at + i as u32).store(*b, SeqCst);
        }
    }
    fn notify(&self, _: u32) {
        let _guard = self.lock.lock().unwrap();
        self.rung.notify_all();
    }
    fn wait(&self, at: u32, expected: u32, timeout: Duration) -> bool {
        let guard = self.lock.lock().unwrap();
        if self.load(at) != expected {
            return false;
        }
        self.rung.wait_timeout(guard, timeout).unwrap().1.timed_out()
    }
    fn length(&self) -> u64 {
        self.words.len() as u64 * 4
    }
}
