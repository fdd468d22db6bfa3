//! Sends stream frames as fast as it can, and checks those it gets: for benchmarks
//! and stress tests of hosts.
#![cfg_attr(target_arch = "wasm32", no_std)]

use inos_sdk::alloc::{format, vec, vec::Vec};
use inos_sdk::{capsule, Failure, Job, Outcome, State};

/// Sends as many frames as the first argument says, of as many bytes as the
/// second; the first 8 count up.
fn flood(job: &mut Job) -> Outcome {
    let (frames, size) = (number(job, 0)?, number(job, 1)?.max(8));
    let mut frame = vec![0u8; size as usize];
    for n in 0..frames {
        frame[..8].copy_from_slice(&n.to_le_bytes());
        job.emit(&frame)?;
    }
    Ok(())
}

/// Before and after what a frame carries.
const CANARY: u64 = 0x1d05_c0de_ca9a_21e5;

/// Frame `n` of a stress run: a canary, the number, random bytes, an FNV-1a
/// checksum over all that, a canary. internal/capsule/sab/stress_browser_test.go
/// makes the same.
fn stress_frame(n: u64, seed: u64, most: u64, into: &mut Vec<u8>) {
    let mut x = (seed ^ n.wrapping_mul(0x9e37_79b9_7f4a_7c15)) | 1;
    let mut next = || {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        x
    };
    into.clear();
    into.extend_from_slice(&(CANARY ^ n).to_le_bytes());
    into.extend_from_slice(&n.to_le_bytes());
    let length = (next() >> 16) % (most + 1);
    while into.len() < 16 + length as usize {
        into.extend_from_slice(&next().to_le_bytes());
    }
    into.truncate(16 + length as usize);
    let sum = checksum(into);
    into.extend_from_slice(&sum.to_le_bytes());
    into.extend_from_slice(&(!CANARY ^ n).to_le_bytes());
}

/// FNV-1a, 8 bytes at a time.
fn checksum(bytes: &[u8]) -> u64 {
    let mut sum = 0xcbf2_9ce4_8422_2325u64;
    for chunk in bytes.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        sum = (sum ^ u64::from_le_bytes(word)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    sum
}

/// Sends as many stress frames as the first argument says; the second is the
/// seed, the third the most random bytes.
fn stress(job: &mut Job) -> Outcome {
    let (frames, seed, most) = (number(job, 0)?, number(job, 1)?, number(job, 2)?);
    let mut frame = Vec::new();
    for n in 0..frames {
        if n % 64 == 0 {
            job.checkpoint()?; // the memory grows meanwhile: the host is told that it was heard
        }
        stress_frame(n, seed, most, &mut frame);
        job.emit(&frame)?;
    }
    Ok(())
}

/// What `take` has got so far.
static TAKEN: State<Result<u64, u64>> = State::new(Ok(0));

/// Takes a stress frame and checks that it is whole, and the one due.
fn take(job: &mut Job) -> Outcome {
    let f = job.input();
    TAKEN.with(|taken| {
        let Ok(n) = *taken else { return };
        let word = |at: usize| f.get(at..at + 8).map_or(0, |w| u64::from_le_bytes(w.try_into().unwrap_or_default()));
        let whole = f.len() >= 32
            && word(0) == CANARY ^ n
            && word(8) == n
            && word(f.len() - 16) == checksum(&f[..f.len() - 16])
            && word(f.len() - 8) == !CANARY ^ n;
        *taken = if whole { Ok(n + 1) } else { Err(n) };
    });
    Ok(())
}

/// How many stress frames came whole and in order.
fn taken(job: &mut Job) -> Outcome {
    match TAKEN.with(|taken| *taken) {
        Ok(n) => job.write(format!("{n}").as_bytes()),
        Err(n) => return Err(Failure::failed(format!("frame {n} is not the one due, or not whole"))),
    }
    Ok(())
}

/// Gives the input back. `sum` reads it all and gives the sum of its words back.
fn echo(job: &mut Job) -> Outcome {
    job.reserve(job.input().len())?;
    job.write(job.input());
    Ok(())
}

fn sum(job: &mut Job) -> Outcome {
    let total = checksum(job.input());
    job.write(&total.to_le_bytes());
    Ok(())
}

/// Does nothing: the input was handed over.
fn nothing(_: &mut Job) -> Outcome {
    Ok(())
}

fn number(job: &Job, i: usize) -> Result<u64, Failure> {
    job.arg(i).and_then(|a| a.parse().ok()).ok_or_else(|| Failure::bad_input(format!("argument {i} must be a number")))
}

capsule! {
    methods: {
        "nothing" => nothing, "flood" => flood, "stress" => stress, "taken" => taken, "echo" => echo, "sum" => sum,
    },
    data: take,
}

#[cfg(test)]
mod tests {
    use super::*;
    use inos_sdk::testing::{call, call_with, Heard};

    #[test]
    fn what_it_sends_it_takes() {
        let mut heard = Heard::default();
        call_with(&mut heard, &CAPSULE, "stress", &["50", "7", "300"], b"").unwrap();
        assert_eq!(heard.data.len(), 50);
        for frame in &heard.data {
            inos_sdk::testing::feed(&CAPSULE, frame).unwrap();
        }
        assert_eq!(call(&CAPSULE, "taken", &[], b"").unwrap(), b"50");
        inos_sdk::testing::feed(&CAPSULE, &heard.data[3]).unwrap();
        assert!(call(&CAPSULE, "taken", &[], b"").is_err());
    }
}
