//! The memory that capsule and host share, as the rings see it.

use core::time::Duration;

/// Shared memory addressed by byte offsets. Words are 32 bits wide, naturally
/// aligned and accessed with sequential consistency; `read` and `write` copy
/// plain bytes, which the rings' counters order. The host may see every store
/// at any time.
pub trait Space {
    fn load(&self, at: u32) -> u32;
    fn store(&self, at: u32, value: u32);
    /// Reads 64 bits that the host stores atomically.
    fn load64(&self, at: u32) -> u64;
    fn read(&self, at: u32, into: &mut [u8]);
    fn write(&self, at: u32, from: &[u8]);
    /// Wakes whoever waits on the word.
    fn notify(&self, at: u32);
    /// Sleeps until the word is notified or the time is up, unless it no longer
    /// holds `expected`. Returns whether the time was up. It may wake for
    /// nothing: look again.
    fn wait(&self, at: u32, expected: u32, timeout: Duration) -> bool;
    /// The memory's length in bytes.
    fn length(&self) -> u64;
}

/// The capsule's own linear memory: offsets are addresses.
#[cfg(target_arch = "wasm32")]
#[derive(Clone, Copy)]
pub struct Linear;

#[cfg(target_arch = "wasm32")]
mod linear {
    use super::{Linear, Space};
    use core::arch::wasm32;
    use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};
    use core::time::Duration;

    fn word(at: u32) -> &'static AtomicU32 {
        // SAFETY: the SDK only passes offsets within its control block.
        unsafe { AtomicU32::from_ptr(at as *mut u32) }
    }

    impl Space for Linear {
        fn load(&self, at: u32) -> u32 {
            word(at).load(SeqCst)
        }
        fn store(&self, at: u32, value: u32) {
            word(at).store(value, SeqCst)
        }
        fn load64(&self, at: u32) -> u64 {
            // SAFETY: as above, 8-byte aligned by the layout.
            unsafe { AtomicU64::from_ptr(at as *mut u64) }.load(SeqCst)
        }
        fn read(&self, at: u32, into: &mut [u8]) {
            // SAFETY: within a ring; the host does not write unread bytes.
            unsafe { core::ptr::copy_nonoverlapping(at as *const u8, into.as_mut_ptr(), into.len()) }
        }
        fn write(&self, at: u32, from: &[u8]) {
            // SAFETY: within a ring; the host only reads there.
            unsafe { core::ptr::copy_nonoverlapping(from.as_ptr(), at as *mut u8, from.len()) }
        }
        fn notify(&self, at: u32) {
            // SAFETY: a word of the control block.
            unsafe { wasm32::memory_atomic_notify(at as *mut i32, u32::MAX) };
        }
        // Never inlined: V8 11.3 (Node 20) loses locals that live across the
        // wait, so no caller may keep one in the same frame.
        #[inline(never)]
        fn wait(&self, at: u32, expected: u32, timeout: Duration) -> bool {
            let nanos = i64::try_from(timeout.as_nanos()).unwrap_or(i64::MAX);
            // SAFETY: a word of the control block.
            unsafe { wasm32::memory_atomic_wait32(at as *mut i32, expected as i32, nanos) == 2 }
        }
        fn length(&self) -> u64 {
            wasm32::memory_size::<0>() as u64 * 65536
        }
    }
}
