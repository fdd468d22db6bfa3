//! What only exists inside a capsule: the exported control block, the panic
//! handler, the start.

use crate::control::Control;
use crate::layout::{CONTROL_SIZE, OFF_STATE, STATE_BOOTING, STATE_RUNNING};
use crate::link::Link;
use crate::runner::{Definition, COMMAND_RING, EVENT_RING};
use crate::space::Linear;
use alloc::alloc::{alloc, Layout};
use alloc::boxed::Box;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicPtr, Ordering::Relaxed};

#[repr(C, align(64))]
pub struct Block(UnsafeCell<[u8; CONTROL_SIZE as usize]>);

// SAFETY: it is only accessed through Space.
unsafe impl Sync for Block {}

/// The control block: the linker exports its address as a global.
#[no_mangle]
#[allow(non_upper_case_globals)]
pub static inos_control: Block = Block(UnsafeCell::new([0; CONTROL_SIZE as usize]));

/// The control block of this capsule.
pub fn control() -> Control<Linear> {
    Control { space: Linear, at: inos_control.0.get() as u32 }
}

fn ring(size: u32) -> (u32, u32) {
    let layout = Layout::from_size_align(size as usize, 64).expect("a fixed size");
    // SAFETY: the size is not zero. It lives as long as the capsule. What it holds is written
    // before it is read: to fill it with zeros would cost a short job more than its start.
    let at = unsafe { alloc(layout) };
    assert!(!at.is_null(), "no memory for the rings");
    (at as u32, size)
}

/// What outlives a snapshot: everything of the loop but its stack, on the heap.
/// Null before the first start.
static LIFE: AtomicPtr<Link<Linear>> = AtomicPtr::new(core::ptr::null_mut());

/// The body of `inos_run`. In a memory that a snapshot was copied into, it goes on
/// from the loop's top with all that the capsule had between its jobs.
pub fn start(definition: &Definition) {
    let control = control();
    assert!(control.load(OFF_STATE) == STATE_BOOTING, "inos_run was called twice");
    let mut life = LIFE.load(Relaxed);
    #[cfg(feature = "std")]
    thread::enter(life.is_null());
    if life.is_null() {
        let (commands, events) = control.prepare(ring(COMMAND_RING), ring(EVENT_RING));
        life = Box::into_raw(Box::new(Link::new(control, commands, events)));
        LIFE.store(life, Relaxed);
        #[cfg(feature = "std")]
        std::panic::set_hook(Box::new(|info| report(info.location(), &payload(info))));
    } else {
        // SAFETY: as below.
        unsafe { &mut *life }.restored();
    }
    control.store(OFF_STATE, STATE_RUNNING);
    // SAFETY: it was leaked by this capsule's first start, and is only used here.
    crate::runner::live(definition, unsafe { &mut *life });
}

/// The standard library's thread-locals. The linker's start function sets their
/// base only together with their first values, which a restored memory already
/// has: a restored instance's base would be 0.
#[cfg(feature = "std")]
mod thread {
    use core::arch::asm;
    use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    static BASE: AtomicUsize = AtomicUsize::new(0);

    /// Notes the base at the first start and sets it again at a later one.
    #[inline(never)]
    pub fn enter(first: bool) {
        if first {
            let base: usize;
            // SAFETY: it reads a global that the linker makes for every module
            // with a shared memory.
            unsafe { asm!(".globaltype __tls_base, i32", "global.get __tls_base", "local.set {}", out(local) base) };
            BASE.store(base, Relaxed);
        } else {
            let base = BASE.load(Relaxed);
            // SAFETY: it is where this capsule's thread-locals lie.
            unsafe { asm!(".globaltype __tls_base, i32", "local.get {}", "global.set __tls_base", in(local) base) };
        }
    }
}

/// Leaves "file:line:column: message" in the control block.
fn report(location: Option<&core::panic::Location<'_>>, message: &dyn core::fmt::Display) {
    match location {
        Some(l) => control().panicked(format_args!("{l}: {message}")),
        None => control().panicked(format_args!("{message}")),
    }
}

#[cfg(feature = "std")]
fn payload(info: &std::panic::PanicHookInfo<'_>) -> alloc::string::String {
    info.payload_as_str().unwrap_or("a panic without a text").into()
}

#[cfg(not(feature = "std"))]
#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    report(info.location(), &info.message());
    core::arch::wasm32::unreachable()
}
