//! Lines, words, characters and bytes of a text, as `wc` counts them, and its most
//! frequent words. A text comes whole, as a job's input, or as a stream of frames
//! cut anywhere; what the stream has brought so far is `total`.
#![cfg_attr(target_arch = "wasm32", no_std)]

mod counter;

use counter::Counter;
use inos_sdk::alloc::{collections::BTreeMap, format, vec::Vec};
use inos_sdk::{capsule, Failure, Job, Outcome, State};

/// Bytes counted between two safe points: a millisecond or less.
const CHUNK: usize = 64 << 10;

/// What the stream has brought so far.
static STREAM: State<Counter> = State::new(Counter::new());

/// Counts the input.
fn count(job: &mut Job) -> Outcome {
    let mut counter = Counter::new();
    let total = job.input().len() as u64;
    for chunk in job.input().chunks(CHUNK) {
        job.checkpoint()?;
        counter.feed(chunk).map_err(Failure::bad_input)?;
        job.progress(counter.bytes, total);
    }
    report(job, &counter)
}

/// Takes one frame of the stream.
fn take(job: &mut Job) -> Outcome {
    STREAM.with(|counter| counter.feed(job.input())).map_err(Failure::bad_input)
}

/// What the stream has brought so far; with the argument `reset` it starts again.
fn total(job: &mut Job) -> Outcome {
    let counter = STREAM.with(|counter| match job.arg(0) {
        Some("reset") => core::mem::replace(counter, Counter::new()),
        _ => counter.clone(),
    });
    report(job, &counter)
}

fn report(job: &mut Job, c: &Counter) -> Outcome {
    c.whole().map_err(Failure::bad_input)?;
    let text = format!("lines {}\nwords {}\ncharacters {}\nbytes {}\n", c.lines, c.words, c.characters, c.bytes);
    job.write(text.as_bytes());
    Ok(())
}

/// The most frequent words of the input, as many as the first argument says (10),
/// as lines of "count word", equals in the order of the alphabet.
fn top(job: &mut Job) -> Outcome {
    let most = match job.arg(0) {
        Some(n) => n.parse().map_err(|_| Failure::bad_input("the first argument is how many words"))?,
        None => 10,
    };
    let text = core::str::from_utf8(job.input()).map_err(Failure::bad_input)?;
    let mut counts = BTreeMap::<&str, u64>::new();
    for (i, word) in text.split_whitespace().enumerate() {
        if i % 4096 == 0 {
            job.checkpoint()?;
        }
        *counts.entry(word).or_default() += 1;
    }
    let mut ranked: Vec<_> = counts.into_iter().collect();
    ranked.sort_by_key(|r| core::cmp::Reverse(r.1)); // stable: equals stay in order
    for (word, n) in ranked.into_iter().take(most) {
        job.write(format!("{n} {word}\n").as_bytes());
    }
    Ok(())
}

capsule! { methods: { "count" => count, "top" => top, "total" => total }, data: take }

#[cfg(test)]
mod tests {
    use super::CAPSULE;
    use inos_sdk::testing::{call, feed};
    use inos_sdk::RunCode;

    const TEXT: &str = "the cat\u{a0}sat\n\non the  Matte: größer \u{1F431}\n";
    const COUNTED: &[u8] = b"lines 3\nwords 8\ncharacters 37\nbytes 43\n";

    #[test]
    fn counts_what_wc_counts() {
        assert_eq!(call(&CAPSULE, "", &[], TEXT.as_bytes()).unwrap(), COUNTED);
        assert_eq!(call(&CAPSULE, "count", &[], b"").unwrap(), b"lines 0\nwords 0\ncharacters 0\nbytes 0\n");
        assert_eq!(call(&CAPSULE, "count", &[], b"a\xffb").unwrap_err().code, RunCode::BadInput);
        assert_eq!(call(&CAPSULE, "count", &[], b"a\xc3").unwrap_err().message, "the text ends within a character");
    }

    #[test]
    fn a_stream_may_be_cut_anywhere() {
        for size in 1..TEXT.len() {
            for frame in TEXT.as_bytes().chunks(size) {
                feed(&CAPSULE, frame).unwrap();
            }
            assert_eq!(call(&CAPSULE, "total", &["reset"], b"").unwrap(), COUNTED, "frames of {size}");
        }
        assert_eq!(call(&CAPSULE, "total", &[], b"").unwrap(), call(&CAPSULE, "", &[], b"").unwrap());
    }

    #[test]
    fn ranks_words() {
        assert_eq!(call(&CAPSULE, "top", &["2"], b"b a c b a d").unwrap(), b"2 a\n2 b\n");
        assert_eq!(call(&CAPSULE, "top", &["x"], b"").unwrap_err().code, RunCode::BadInput);
    }
}
