//! SHA-256 and BLAKE3 of the input, as lines of "name hex".
#![cfg_attr(target_arch = "wasm32", no_std)]

use inos_sdk::{capsule, Job, Outcome};
use sha2::Digest;

/// Bytes hashed between two safe points: a millisecond or so.
const CHUNK: usize = 256 << 10;

/// Feeds the input to `update`, a chunk at a time.
fn feed(job: &mut Job, mut update: impl FnMut(&[u8])) -> Outcome {
    let input = job.input();
    let total = input.len() as u64;
    for (i, chunk) in input.chunks(CHUNK).enumerate() {
        job.checkpoint()?;
        update(chunk);
        if i % 16 == 15 {
            job.progress((i * CHUNK + chunk.len()) as u64, total);
        }
    }
    Ok(())
}

fn line(job: &mut Job, name: &str, digest: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    job.write(name.as_bytes());
    job.write(b" ");
    for b in digest {
        job.write(&[HEX[usize::from(b >> 4)], HEX[usize::from(b & 15)]]);
    }
    job.write(b"\n");
}

fn sha256(job: &mut Job) -> Outcome {
    let mut h = sha2::Sha256::new();
    feed(job, |chunk| h.update(chunk))?;
    line(job, "sha256", &h.finalize());
    Ok(())
}

fn blake3(job: &mut Job) -> Outcome {
    let mut h = blake3::Hasher::new();
    feed(job, |chunk| {
        h.update(chunk);
    })?;
    line(job, "blake3", h.finalize().as_bytes());
    Ok(())
}

fn both(job: &mut Job) -> Outcome {
    sha256(job)?;
    blake3(job)
}

capsule! { methods: { "both" => both, "sha256" => sha256, "blake3" => blake3 } }

#[cfg(test)]
mod tests {
    use super::CAPSULE;
    use inos_sdk::testing::{call, call_with, Heard};
    use inos_sdk::{Failure, RunCode, Stop};

    // FIPS 180-4 and the BLAKE3 test vectors: the digests of nothing.
    const EMPTY: &str = "sha256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n\
                         blake3 af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262\n";

    #[test]
    fn digests_of_nothing() {
        assert_eq!(call(&CAPSULE, "", &[], b"").unwrap(), EMPTY.as_bytes());
        let (sha, blake) = EMPTY.split_at(EMPTY.find("blake3").unwrap());
        assert_eq!(call(&CAPSULE, "sha256", &[], b"").unwrap(), sha.as_bytes());
        assert_eq!(call(&CAPSULE, "blake3", &[], b"").unwrap(), blake.as_bytes());
    }

    #[test]
    fn chunks_make_no_difference() {
        let input: Vec<u8> = (0..5_000_000u32).map(|i| (i * 31) as u8).collect();
        let mut heard = Heard::default();
        let out = call_with(&mut heard, &CAPSULE, "blake3", &[], &input).unwrap();
        assert_eq!(out, format!("blake3 {}\n", blake3::hash(&input).to_hex()).as_bytes());
        assert_eq!(heard.progress, [(4 << 20, 5_000_000)]);
    }

    #[test]
    fn stops_at_a_safe_point_and_knows_its_methods() {
        let mut heard = Heard { stop_after: Some(2), ..Heard::default() };
        let stopped = call_with(&mut heard, &CAPSULE, "sha256", &[], &vec![0; 4 << 20]);
        assert_eq!(stopped, Err(Failure::from(Stop::Killed)));
        let unknown = call(&CAPSULE, "md5", &[], b"").unwrap_err();
        assert_eq!(unknown.code, RunCode::UnknownMethod);
        assert_eq!(unknown.message, r#""md5"; there is both, sha256, blake3"#);
    }
}
