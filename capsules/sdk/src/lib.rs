//! Everything of an INOS capsule but its work.
//!
//! A capsule is one WebAssembly module over a shared memory. This crate keeps its
//! control block and rings, carries lifecycle commands out, sends heartbeats and
//! reports panics. What is left to write is methods:
//!
//! ```
//! #![cfg_attr(target_arch = "wasm32", no_std)]
//! use inos_sdk::{capsule, Job, Outcome};
//!
//! fn sum(job: &mut Job) -> Outcome {
//!     let total: u64 = job.input().iter().map(|&b| u64::from(b)).sum();
//!     job.write(&total.to_le_bytes());
//!     Ok(())
//! }
//!
//! capsule! { methods: { "sum" => sum } }
//! ```
#![cfg_attr(all(target_arch = "wasm32", not(feature = "std")), no_std)]
#![cfg_attr(target_arch = "wasm32", feature(stdarch_wasm_atomic_wait))]
// For the base of thread-locals.
#![cfg_attr(all(target_arch = "wasm32", feature = "std"), feature(asm_experimental_arch))]

pub extern crate alloc;
// What unit tests share with those in tests/.
#[cfg(test)]
extern crate self as inos_sdk;
#[cfg(test)]
#[path = "../tests/support/heap.rs"]
mod shared_heap;

#[cfg(test)]
#[allow(clippy::all, unused_qualifications)]
#[rustfmt::skip]
#[path = "generated/capsule_capnp.rs"]
mod capsule_capnp;
#[cfg(test)]
#[allow(clippy::all, unused_qualifications)]
#[rustfmt::skip]
#[path = "generated/orchestration_capnp.rs"]
mod orchestration_capnp;

mod args;
mod congestion;
pub mod control;
mod flat;
mod heap;
mod input;
mod job;
mod spin;
#[rustfmt::skip] // generated
pub mod layout;
mod link;
pub mod message;
mod ordinals;
pub mod ring;
pub mod runner;
pub mod space;
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub mod start;
mod state;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;

pub use args::args;
pub use job::{Failure, Job, Method, Outcome, Stop};
pub use message::RunCode;
pub use runner::Definition;
pub use state::State;

/// Makes a crate a capsule. The first method is the default one.
///
/// ```text
/// capsule! { methods: { "sum" => sum, "mean" => mean }, data: take_frame }
/// ```
#[macro_export]
macro_rules! capsule {
    (methods: { $($name:literal => $method:path),+ $(,)? } $(, data: $data:path)? $(,)?) => {
        /// What this capsule can do.
        pub static CAPSULE: $crate::Definition = $crate::Definition {
            methods: &[$(($name, $method as $crate::Method)),+],
            data: $crate::optional!($($data)?),
        };

        // Read by the host before it compiles the module.
        #[cfg(target_arch = "wasm32")]
        #[link_section = "inos.abi"]
        #[used]
        static INOS_ABI: [u8; 4] = $crate::layout::ABI_VERSION.to_le_bytes();

        #[cfg(target_arch = "wasm32")]
        #[no_mangle]
        pub extern "C" fn inos_run() {
            $crate::start::start(&CAPSULE)
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! optional {
    () => {
        None
    };
    ($some:path) => {
        Some($some as $crate::Method)
    };
}
