//! Memory that the host fills with a job's input.

use alloc::alloc::{alloc, dealloc, Layout};

/// Bytes on the heap, not initialised by us: the host writes them.
pub struct Input {
    at: *mut u8,
    size: usize,
    length: usize,
}

const ALIGN: usize = 16;

impl Input {
    /// None when there is no memory for it.
    pub fn new(bytes: usize) -> Option<Input> {
        if bytes == 0 {
            return Some(Input::empty());
        }
        let layout = Layout::from_size_align(bytes, ALIGN).ok()?;
        // SAFETY: the size is not zero.
        let at = unsafe { alloc(layout) };
        (!at.is_null()).then_some(Input { at, size: bytes, length: bytes })
    }

    pub fn empty() -> Input {
        Input { at: core::ptr::null_mut(), size: 0, length: 0 }
    }

    pub fn address(&self) -> u64 {
        self.at as u64
    }

    /// Uses the first `length` bytes only; false when there are not so many.
    pub fn cut(&mut self, length: u64) -> bool {
        let fits = length <= self.size as u64;
        if fits {
            self.length = length as usize;
        }
        fits
    }

    /// What the host wrote. Call it only after the host said that it has.
    pub fn bytes(&self) -> &[u8] {
        if self.at.is_null() {
            return &[];
        }
        // SAFETY: size bytes are ours; the host wrote the first length of them
        // before it sent the job, and the ring's counters order that.
        unsafe { core::slice::from_raw_parts(self.at, self.length) }
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        if !self.at.is_null() {
            // SAFETY: as allocated.
            unsafe { dealloc(self.at, Layout::from_size_align_unchecked(self.size, ALIGN)) }
        }
    }
}
