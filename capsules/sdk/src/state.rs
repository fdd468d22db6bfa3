//! What a capsule keeps from one job to the next.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, Ordering::Acquire, Ordering::Release};

/// A static that jobs change. It lies in the capsule's memory, so a snapshot holds
/// it and a restored capsule goes on with it.
///
/// ```
/// use inos_sdk::State;
/// static SEEN: State<u64> = State::new(0);
/// let seen = SEEN.with(|n| {
///     *n += 1;
///     *n
/// });
/// # assert_eq!(seen, 1);
/// ```
pub struct State<T> {
    taken: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: `with` lets one caller at a time in.
unsafe impl<T: Send> Sync for State<T> {}

impl<T> State<T> {
    pub const fn new(value: T) -> Self {
        State { taken: AtomicBool::new(false), value: UnsafeCell::new(value) }
    }

    /// Hands the value to `f`, which must not ask for it again. Do not wait or
    /// reach a safe point in `f`: a capsule may end there.
    pub fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        // A capsule has one thread, so there who has taken it is the caller itself.
        #[cfg(target_arch = "wasm32")]
        assert!(!self.taken.swap(true, Acquire), "State::with within State::with");
        #[cfg(not(target_arch = "wasm32"))]
        while self.taken.swap(true, Acquire) {
            std::thread::yield_now();
        }
        let _open = Open(&self.taken);
        // SAFETY: taken was false and is true until _open goes.
        f(unsafe { &mut *self.value.get() })
    }
}

struct Open<'a>(&'a AtomicBool);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.store(false, Release)
    }
}

#[cfg(test)]
mod tests {
    use super::State;

    #[test]
    fn threads_take_turns() {
        static N: State<u64> = State::new(0);
        std::thread::scope(|s| {
            for _ in 0..4 {
                s.spawn(|| (0..10_000).for_each(|_| N.with(|n| *n += 1)));
            }
        });
        assert_eq!(N.with(|n| *n), 40_000);
    }
}
