//! The capsule's heap: dlmalloc over the linear memory. It takes over pages that
//! the host has added (resizeMem) before it grows the memory itself, and keeps
//! count of what is in use and of what it could not get.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

static IN_USE: AtomicU64 = AtomicU64::new(0);
static WANTED: AtomicU64 = AtomicU64::new(0);

/// Bytes of heap in use.
pub fn in_use() -> u64 {
    IN_USE.load(Relaxed)
}

/// The memory length, in bytes, that the last failed allocation would have
/// needed; 0 when none failed since `satisfied`.
pub fn wanted() -> u64 {
    WANTED.load(Relaxed)
}

/// Asks for a memory of at least `bytes`.
pub fn want(bytes: u64) {
    WANTED.fetch_max(bytes, Relaxed);
}

/// Forgets what was wanted.
pub fn satisfied() {
    WANTED.store(0, Relaxed)
}

#[cfg(target_arch = "wasm32")]
mod linear {
    use super::{want, IN_USE};
    use core::alloc::{GlobalAlloc, Layout};
    use core::arch::wasm32::{memory_grow, memory_size};
    use core::cell::{Cell, UnsafeCell};
    use core::sync::atomic::Ordering::Relaxed;
    use dlmalloc::{Allocator, Dlmalloc};

    const PAGE: usize = 65536;

    extern "C" {
        // Made by the linker: where static data and stack end.
        static __heap_base: u8;
    }

    struct Pages {
        /// All memory below is the heap's already; 0 before the first call.
        claimed: Cell<usize>,
    }

    impl Pages {
        /// Claims everything from `claimed` to the memory's end, if that is `size`.
        fn claim(&self, size: usize) -> Option<(*mut u8, usize)> {
            let mut from = self.claimed.get();
            if from == 0 {
                from = (&raw const __heap_base as usize).next_multiple_of(16);
            }
            // The last page of a 4 GiB memory would end at address 0.
            let end = memory_size::<0>().min(PAGE - 1) * PAGE;
            if end < from || end - from < size {
                return None;
            }
            self.claimed.set(end);
            Some((from as *mut u8, end - from))
        }
    }

    // SAFETY: a capsule has one thread, and each range is handed out once.
    unsafe impl Allocator for Pages {
        fn alloc(&self, size: usize) -> (*mut u8, usize, u32) {
            let got = self.claim(size).or_else(|| {
                let claimed = self.claimed.get().max(&raw const __heap_base as usize);
                let missing = (claimed.checked_add(size)?.div_ceil(PAGE)).checked_sub(memory_size::<0>())?;
                if memory_grow::<0>(missing.max(1)) == usize::MAX {
                    want((claimed + size).next_multiple_of(PAGE) as u64);
                    return None;
                }
                self.claim(size)
            });
            match got {
                Some((base, length)) => (base, length, 0),
                None => (core::ptr::null_mut(), 0, 0),
            }
        }
        fn remap(&self, _: *mut u8, _: usize, _: usize, _: bool) -> *mut u8 {
            core::ptr::null_mut()
        }
        fn free_part(&self, _: *mut u8, _: usize, _: usize) -> bool {
            false
        }
        fn free(&self, _: *mut u8, _: usize) -> bool {
            false
        }
        fn can_release_part(&self, _: u32) -> bool {
            false
        }
        fn allocates_zeros(&self) -> bool {
            true
        }
        fn page_size(&self) -> usize {
            PAGE
        }
    }

    struct Heap(UnsafeCell<Dlmalloc<Pages>>);

    // SAFETY: a capsule has one thread.
    unsafe impl Sync for Heap {}

    #[global_allocator]
    static HEAP: Heap = Heap(UnsafeCell::new(Dlmalloc::new_with_allocator(Pages { claimed: Cell::new(0) })));

    fn count(bytes: usize, of: *mut u8) -> *mut u8 {
        if !of.is_null() {
            IN_USE.fetch_add(bytes as u64, Relaxed);
        }
        of
    }

    // SAFETY: Dlmalloc keeps GlobalAlloc's promises; there is one thread.
    unsafe impl GlobalAlloc for Heap {
        unsafe fn alloc(&self, l: Layout) -> *mut u8 {
            count(l.size(), (*self.0.get()).malloc(l.size(), l.align()))
        }
        unsafe fn alloc_zeroed(&self, l: Layout) -> *mut u8 {
            count(l.size(), (*self.0.get()).calloc(l.size(), l.align()))
        }
        unsafe fn dealloc(&self, p: *mut u8, l: Layout) {
            IN_USE.fetch_sub(l.size() as u64, Relaxed);
            (*self.0.get()).free(p, l.size(), l.align())
        }
        unsafe fn realloc(&self, p: *mut u8, l: Layout, size: usize) -> *mut u8 {
            let new = (*self.0.get()).realloc(p, l.size(), l.align(), size);
            if !new.is_null() {
                IN_USE.fetch_add(size as u64, Relaxed);
                IN_USE.fetch_sub(l.size() as u64, Relaxed);
            }
            new
        }
    }
}
