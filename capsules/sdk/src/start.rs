//! What only exists inside a capsule: the exported control block, the panic
//! handler, the start.

use crate::control::Control;
use crate::layout::{CONTROL_SIZE, OFF_COMMAND_SIZE};
use crate::runner::{Definition, COMMAND_RING, EVENT_RING};
use crate::space::Linear;
use alloc::alloc::{alloc_zeroed, Layout};
use core::cell::UnsafeCell;

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
    // SAFETY: the size is not zero. It lives as long as the capsule.
    let at = unsafe { alloc_zeroed(layout) };
    assert!(!at.is_null(), "no memory for the rings");
    (at as u32, size)
}

/// The body of `inos_run`.
pub fn start(definition: &Definition) {
    let control = control();
    assert!(control.load(OFF_COMMAND_SIZE) == 0, "inos_run was called twice");
    #[cfg(feature = "std")]
    std::panic::set_hook(alloc::boxed::Box::new(|info| report(info.location(), &payload(info))));
    crate::runner::run(definition, control, ring(COMMAND_RING), ring(EVENT_RING));
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
