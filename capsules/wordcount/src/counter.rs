//! Counting a text that comes in pieces.

/// What was counted so far. Pieces may end within a word or a character.
#[derive(Clone)]
pub struct Counter {
    pub lines: u64,
    pub words: u64,
    pub characters: u64,
    pub bytes: u64,
    in_word: bool,
    /// The first bytes of a character whose rest is still to come.
    rest: [u8; 4],
    held: usize,
}

const BAD: &str = "the text is not UTF-8";

impl Counter {
    pub const fn new() -> Counter {
        Counter { lines: 0, words: 0, characters: 0, bytes: 0, in_word: false, rest: [0; 4], held: 0 }
    }

    /// Counts one more piece.
    pub fn feed(&mut self, mut piece: &[u8]) -> Result<(), &'static str> {
        self.bytes += piece.len() as u64;
        while self.held > 0 && !piece.is_empty() {
            if self.held == self.rest.len() {
                return Err(BAD);
            }
            self.rest[self.held] = piece[0];
            self.held += 1;
            piece = &piece[1..];
            let rest = self.rest;
            match core::str::from_utf8(&rest[..self.held]) {
                Ok(text) => {
                    self.held = 0;
                    self.text(text);
                }
                Err(e) if e.error_len().is_some() => return Err(BAD),
                Err(_) => {}
            }
        }
        let text = match core::str::from_utf8(piece) {
            Ok(text) => text,
            Err(e) if e.error_len().is_some() => return Err(BAD),
            Err(e) => {
                let (good, rest) = piece.split_at(e.valid_up_to());
                self.rest[..rest.len()].copy_from_slice(rest);
                self.held = rest.len();
                core::str::from_utf8(good).map_err(|_| BAD)?
            }
        };
        self.text(text);
        Ok(())
    }

    fn text(&mut self, text: &str) {
        for c in text.chars() {
            self.characters += 1;
            self.lines += u64::from(c == '\n');
            let in_word = !c.is_whitespace();
            self.words += u64::from(in_word && !self.in_word);
            self.in_word = in_word;
        }
    }

    /// Fails when a character is still incomplete.
    pub fn whole(&self) -> Result<(), &'static str> {
        match self.held {
            0 => Ok(()),
            _ => Err("the text ends within a character"),
        }
    }
}
