//! Keeps what it is given, and looks through its whole memory for what others left
//! there: for tests of hosts.
#![cfg_attr(target_arch = "wasm32", no_std)]

use inos_sdk::alloc::{format, vec::Vec};
use inos_sdk::{capsule, Failure, Job, Outcome, State};

static KEPT: State<Vec<u8>> = State::new(Vec::new());

/// Keeps the input. An argument says how many bytes of memory to fill with it, too.
fn put(job: &mut Job) -> Outcome {
    if let Some(bytes) = job.arg(0) {
        let bytes = bytes.parse().map_err(|_| Failure::bad_input("the argument is a number of bytes"))?;
        if job.input().is_empty() {
            return Err(Failure::bad_input("nothing to fill the memory with"));
        }
        let mut copies = Vec::new();
        copies.try_reserve_exact(bytes).map_err(|_| Failure::no_memory(bytes))?;
        copies.extend(job.input().iter().cycle().take(bytes));
        job.write(&copies);
    }
    KEPT.with(|kept| *kept = job.input().to_vec());
    Ok(())
}

/// Keeps the input and then fails.
fn put_and_fail(job: &mut Job) -> Outcome {
    put(job)?;
    Err(Failure::failed("as asked"))
}

/// Keeps the input and then panics.
fn put_and_panic(job: &mut Job) -> Outcome {
    put(job)?;
    panic!("as asked")
}

/// Returns what was kept.
fn get(job: &mut Job) -> Outcome {
    KEPT.with(|kept| job.write(kept));
    Ok(())
}

/// How often the input, with every bit of it inverted, stands anywhere in the memory,
/// and how long that is in bytes.
fn find(job: &mut Job) -> Outcome {
    let wanted = job.input();
    let mut found = 0u64;
    let length = job.memory() as usize;
    for at in 8..length.saturating_sub(wanted.len()) {
        // It is all one memory, whatever lies there: that is what is looked into.
        let same = wanted.iter().enumerate().all(|(i, w)| unsafe { peek(at + i) } == !w);
        found += u64::from(same);
    }
    job.write(format!("{found} {length}").as_bytes());
    Ok(())
}

/// The byte at an address of the capsule's memory.
///
/// # Safety
/// It lies in the memory.
#[cfg(target_arch = "wasm32")]
unsafe fn peek(at: usize) -> u8 {
    (at as *const u8).read_volatile()
}

#[cfg(not(target_arch = "wasm32"))]
unsafe fn peek(_: usize) -> u8 {
    0
}

capsule! {
    methods: {
        "put" => put, "put_and_fail" => put_and_fail, "put_and_panic" => put_and_panic, "get" => get, "find" => find,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use inos_sdk::testing::call;

    #[test]
    fn what_is_put_can_be_got() {
        assert_eq!(call(&CAPSULE, "get", &[], b"").unwrap(), b"");
        assert_eq!(call(&CAPSULE, "put", &["7"], b"abc").unwrap(), b"abcabca");
        assert_eq!(call(&CAPSULE, "get", &[], b"").unwrap(), b"abc");
        assert!(call(&CAPSULE, "put_and_fail", &[], b"def").is_err());
        assert_eq!(call(&CAPSULE, "get", &[], b"").unwrap(), b"def");
        assert!(call(&CAPSULE, "put", &["many"], b"x").is_err());
        assert!(call(&CAPSULE, "put", &["7"], b"").is_err());
    }
}
