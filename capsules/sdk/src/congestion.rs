//! Congestion with hysteresis: raised above 80 % of capacity, cleared below 50 %.

#[derive(Default)]
pub struct Congestion {
    raised: bool,
}

impl Congestion {
    /// Takes a level of `used` out of `capacity` and returns whether the state
    /// changed.
    pub fn update(&mut self, used: u32, capacity: u32) -> bool {
        let (used, capacity) = (u64::from(used), u64::from(capacity));
        let was = self.raised;
        self.raised = if was { used * 2 >= capacity } else { used * 5 > capacity * 4 };
        was != self.raised
    }

    pub fn raised(&self) -> bool {
        self.raised
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rises_above_80_and_clears_below_50_percent() {
        let mut c = Congestion::default();
        let steps = [(80, false), (81, true), (60, true), (50, true), (49, false), (80, false), (100, true)];
        for (used, raised) in steps {
            c.update(used, 100);
            assert_eq!(c.raised(), raised, "at {used} %");
        }
    }
}
