//! Whether to look at the doorbell for a moment before going to sleep on it. A host
//! that sends one command after the other is then heard at once, and its notify
//! wakes nobody, which would cost it more than the command does.

/// So many looks in vain in a row ...
const MISSES_BEFORE_REST: u32 = 4;
/// ... and only every 128th sleep is preceded by one: where both share a core, a look
/// keeps the host from what is looked for.
const RESTING_TURNS: u32 = 128;

#[derive(Default)]
pub struct Spin {
    misses: u32,
    turn: u32,
}

impl Spin {
    /// Looks until `rang` says so, `looks` times at most. Whether it did.
    pub fn look(&mut self, looks: u32, rang: impl Fn() -> bool) -> bool {
        self.turn = self.turn.wrapping_add(1);
        if self.misses >= MISSES_BEFORE_REST && !self.turn.is_multiple_of(RESTING_TURNS) {
            return false;
        }
        for _ in 0..looks {
            if rang() {
                self.misses = 0;
                return true;
            }
            breathe();
        }
        self.misses = self.misses.saturating_add(1);
        false
    }
}

/// WebAssembly has no pause instruction. A chain of divisions keeps the core's other
/// thread, which may be the host's, from being starved by the looks: some 30 ns.
#[inline(never)]
fn breathe() {
    let mut x = core::hint::black_box(u64::MAX);
    for _ in 0..8 {
        x /= core::hint::black_box(3);
    }
    core::hint::black_box(x);
}

#[cfg(test)]
mod tests {
    use super::{Spin, MISSES_BEFORE_REST, RESTING_TURNS};
    use core::cell::Cell;

    const LOOKS: u32 = 50;

    fn looks(h: &mut Spin, found: bool) -> u32 {
        let n = Cell::new(0);
        h.look(LOOKS, || {
            n.set(n.get() + 1);
            found
        });
        n.get()
    }

    #[test]
    fn looks_as_long_as_it_is_worth_it() {
        let mut h = Spin::default();
        (0..100).for_each(|_| assert_eq!(looks(&mut h, true), 1));
        (0..MISSES_BEFORE_REST).for_each(|_| assert_eq!(looks(&mut h, false), LOOKS));
        let rest: u32 = (0..RESTING_TURNS * 10).map(|_| looks(&mut h, false)).sum();
        assert_eq!(rest, 10 * LOOKS, "every 128th sleep");
        while looks(&mut h, true) == 0 {}
        assert_eq!(looks(&mut h, true), 1, "again at every sleep");
    }
}
