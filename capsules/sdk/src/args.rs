//! What the capsule was spawned with.

use crate::state::State;
use alloc::string::String;
use alloc::vec::Vec;

static ARGS: State<Vec<String>> = State::new(Vec::new());

/// The arguments that the capsule was spawned with: the same for every job, after a
/// restart too. They are there before the first job is, and part of a snapshot, but
/// a spawn of the snapshot may bring others.
pub fn args() -> Vec<String> {
    ARGS.with(|args| args.clone())
}

pub(crate) fn set(args: Vec<String>) {
    ARGS.with(|old| *old = args);
}
