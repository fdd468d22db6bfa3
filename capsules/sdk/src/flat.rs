//! Cap'n Proto messages of one segment whose root holds numbers, texts and lists
//! of texts: all that crosses the rings. The capnp crate does more and takes more
//! of a capsule's size and time than all the rest of this one; the tests compare
//! the two. https://capnproto.org/encoding.html

use alloc::string::String;
use alloc::vec::Vec;

/// A message that is none, or of another shape than those here.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed;

/// The root of a message. What a shorter, older one lacks reads as zero or empty;
/// what a newer one has more of is not looked at.
pub struct Root<'a> {
    segment: &'a [u8],
    data: &'a [u8],
    /// Byte offset of the pointers in the segment, and how many they are.
    pointers: (usize, usize),
}

/// Where the list at a pointer starts, its elements' size code, and how many they are.
struct List {
    at: usize,
    size: u64,
    count: usize,
}

const BYTES: u64 = 2;
const POINTERS: u64 = 6;

fn word(segment: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(segment.get(at..at.checked_add(8)?)?.try_into().ok()?))
}

/// Where a pointer at byte `at` leads: its offset is in words from its end, signed.
fn target(at: usize, pointer: u64) -> Option<usize> {
    usize::try_from(at as i64 + 8 + i64::from(pointer as i32 >> 2) * 8).ok()
}

impl<'a> Root<'a> {
    pub fn new(message: &'a [u8]) -> Result<Root<'a>, Malformed> {
        Root::find(message).ok_or(Malformed)
    }

    fn find(message: &'a [u8]) -> Option<Root<'a>> {
        let head = word(message, 0)?;
        if head as u32 != 0 {
            return None; // more than one segment
        }
        let segment = message.get(8..)?.get(..usize::try_from((head >> 32) * 8).ok()?)?;
        let pointer = word(segment, 0)?;
        if pointer & 3 != 0 {
            return None; // not a struct in this segment
        }
        let data = target(0, pointer)?;
        let pointers = data.checked_add((pointer >> 32 & 0xffff) as usize * 8)?;
        let count = (pointer >> 48) as usize;
        segment.get(..pointers.checked_add(count * 8)?)?;
        Some(Root { segment, data: segment.get(data..pointers)?, pointers: (pointers, count) })
    }

    /// The `i`th word of the numbers.
    pub fn word(&self, i: usize) -> u64 {
        word(self.data, i * 8).unwrap_or(0)
    }

    /// The list that the pointer at byte `at` leads to; None for a null pointer.
    fn list(&self, at: usize) -> Result<Option<List>, Malformed> {
        let pointer = word(self.segment, at).ok_or(Malformed)?;
        if pointer == 0 {
            return Ok(None);
        }
        if pointer & 3 != 1 {
            return Err(Malformed);
        }
        let at = target(at, pointer).ok_or(Malformed)?;
        Ok(Some(List { at, size: pointer >> 32 & 7, count: (pointer >> 35) as usize }))
    }

    fn bytes_at(&self, at: usize) -> Result<&'a [u8], Malformed> {
        match self.list(at)? {
            None => Ok(&[]),
            Some(l) if l.size == BYTES => self.segment.get(l.at..).and_then(|s| s.get(..l.count)).ok_or(Malformed),
            Some(_) => Err(Malformed),
        }
    }

    fn text_at(&self, at: usize) -> Result<&'a str, Malformed> {
        match self.bytes_at(at)?.split_last() {
            None => Ok(""),
            Some((0, text)) => core::str::from_utf8(text).map_err(|_| Malformed),
            Some(_) => Err(Malformed),
        }
    }

    fn pointer(&self, i: usize) -> Option<usize> {
        (i < self.pointers.1).then_some(self.pointers.0 + i * 8)
    }

    /// The bytes at the `i`th pointer.
    pub fn bytes(&self, i: usize) -> Result<&'a [u8], Malformed> {
        self.pointer(i).map_or(Ok(&[]), |at| self.bytes_at(at))
    }

    /// The text at the `i`th pointer.
    pub fn text(&self, i: usize) -> Result<&'a str, Malformed> {
        self.pointer(i).map_or(Ok(""), |at| self.text_at(at))
    }

    /// The texts at the `i`th pointer.
    pub fn texts(&self, i: usize) -> Result<Vec<String>, Malformed> {
        let Some(at) = self.pointer(i) else { return Ok(Vec::new()) };
        let Some(list) = self.list(at)? else { return Ok(Vec::new()) };
        if list.size != POINTERS || list.count > self.segment.len() / 8 {
            return Err(Malformed);
        }
        let mut texts = Vec::with_capacity(list.count);
        // Pointers may lead to the same text: all together are no longer than the message.
        let mut left = self.segment.len();
        for n in 0..list.count {
            let text = self.text_at(list.at.saturating_add(n * 8))?;
            left = left.checked_sub(text.len()).ok_or(Malformed)?;
            texts.push(text.into());
        }
        Ok(texts)
    }
}

/// Writes a message whose root has these words and texts.
pub fn write(words: &[u64], texts: &[&str]) -> Vec<u8> {
    let with_zero = |t: &str| if t.is_empty() { 0 } else { t.len() + 1 };
    let texts_words: usize = texts.iter().map(|t| with_zero(t).div_ceil(8)).sum();
    let all = 1 + words.len() + texts.len() + texts_words;
    let mut out = Vec::with_capacity(8 + all * 8);
    let mut put = |w: u64| out.extend_from_slice(&w.to_le_bytes());
    put((all as u64) << 32);
    put((words.len() as u64) << 32 | (texts.len() as u64) << 48);
    words.iter().for_each(|&w| put(w));
    let mut away = texts.len();
    for t in texts {
        away -= 1; // from this pointer's end to the first text
        let length = with_zero(t);
        put(if length == 0 { 0 } else { (away as u64) << 2 | 1 | BYTES << 32 | (length as u64) << 35 });
        away += length.div_ceil(8);
    }
    for t in texts.iter().filter(|t| !t.is_empty()) {
        out.extend_from_slice(t.as_bytes());
        out.resize(out.len() + 8 - t.len() % 8, 0);
    }
    out
}
