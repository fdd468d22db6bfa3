//! A hash table from cubes to the sums of their points, with open addressing. It
//! never grows in `add`: its memory is asked for beforehand.

use inos_sdk::alloc::vec::Vec;
use inos_sdk::{Failure, Job, Outcome};

struct Cube {
    at: [i32; 3],
    points: u32,
    sum: [f64; 3],
}

pub struct Grid {
    edge: f64,
    cubes: Vec<Cube>,
    /// Index of a cube plus one; 0 is free. A power of two, at most half full.
    slots: Vec<u32>,
}

impl Grid {
    pub fn new(edge: f64) -> Grid {
        Grid { edge, cubes: Vec::new(), slots: Vec::new() }
    }

    pub fn cubes(&self) -> usize {
        self.cubes.len()
    }

    /// Makes room for `more` cubes, asking the host for memory.
    pub fn make_room(&mut self, job: &mut Job, more: usize) -> Outcome {
        let cubes = self.cubes.len() + more;
        if cubes > self.cubes.capacity() {
            let capacity = cubes.next_power_of_two();
            // Old and new live side by side while the one is copied.
            let bytes = capacity * size_of::<Cube>();
            job.make_room(bytes)?;
            let missing = capacity - self.cubes.len();
            self.cubes.try_reserve_exact(missing).map_err(|_| Failure::no_memory(bytes))?;
        }
        if cubes * 2 > self.slots.len() {
            let slots = (cubes * 2).next_power_of_two();
            let bytes = slots * size_of::<u32>();
            job.make_room(bytes)?;
            let mut fresh = Vec::new();
            fresh.try_reserve_exact(slots).map_err(|_| Failure::no_memory(bytes))?;
            fresh.resize(slots, 0);
            self.slots = fresh;
            for i in 0..self.cubes.len() {
                let slot = self.find(self.cubes[i].at);
                self.slots[slot] = i as u32 + 1;
            }
        }
        Ok(())
    }

    /// The slot of a cube, or the free one where it belongs.
    fn find(&self, at: [i32; 3]) -> usize {
        let mask = self.slots.len() - 1;
        let mixed =
            at.iter().fold(0u64, |h, &x| (h ^ x as u32 as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29));
        let mut slot = (mixed >> 7) as usize & mask;
        loop {
            match self.slots[slot] {
                0 => return slot,
                i if self.cubes[i as usize - 1].at == at => return slot,
                _ => slot = (slot + 1) & mask,
            }
        }
    }

    /// Adds a point; one that is not finite is left out.
    pub fn add(&mut self, point: [f32; 3]) -> Result<(), &'static str> {
        if point.iter().any(|x| !x.is_finite()) {
            return Ok(());
        }
        let mut at = [0; 3];
        for (i, x) in point.iter().enumerate() {
            let cube = floor(f64::from(*x) / self.edge);
            if !(f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&cube) {
                return Err("the cube's edge is too small for so wide a cloud");
            }
            at[i] = cube as i32;
        }
        let slot = self.find(at);
        if self.slots[slot] == 0 {
            self.cubes.push(Cube { at, points: 0, sum: [0.0; 3] });
            self.slots[slot] = self.cubes.len() as u32;
        }
        let cube = &mut self.cubes[self.slots[slot] as usize - 1];
        cube.points += 1;
        for (sum, x) in cube.sum.iter_mut().zip(point) {
            *sum += f64::from(x);
        }
        Ok(())
    }

    pub fn centroids(&self) -> impl Iterator<Item = [f32; 3]> + '_ {
        self.cubes.iter().map(|c| c.sum.map(|s| (s / f64::from(c.points)) as f32))
    }
}

/// f64::floor, which core has not; far outside i32 it need not be exact.
fn floor(x: f64) -> f64 {
    let cut = x as i64 as f64;
    if cut > x {
        cut - 1.0
    } else {
        cut
    }
}
