//! The fuzzer's bytes as a tape of choices.

/// Choices one after the other; zeros and nothing once they are used up.
pub(crate) struct Tape<'d>(&'d [u8]);

impl<'d> Tape<'d> {
    pub(crate) const fn new(data: &'d [u8]) -> Self {
        Self(data)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        let Some((byte, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *byte
    }

    pub(crate) fn short(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    pub(crate) fn number(&mut self) -> u32 {
        u32::from_be_bytes([self.byte(), self.byte(), self.byte(), self.byte()])
    }

    pub(crate) fn array<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.byte())
    }

    /// Bytes behind their number.
    pub(crate) fn slice(&mut self) -> &'d [u8] {
        let len = usize::from(self.byte()).min(self.0.len());
        let (slice, rest) = self.0.split_at(len);
        self.0 = rest;
        slice
    }

    /// The same as far as it is text.
    pub(crate) fn text(&mut self) -> &'d str {
        self.slice().utf8_chunks().next().map_or("", |chunk| chunk.valid())
    }

    /// As many letters of an alphabet as the next byte says, `most` at most.
    pub(crate) fn word(&mut self, alphabet: &[u8], most: usize) -> String {
        let len = usize::from(self.byte()) % (most + 1);
        (0..len).map(|_| char::from(alphabet[usize::from(self.byte()) % alphabet.len()])).collect()
    }

    pub(crate) fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::from(self.byte()) % choices.len()]
    }
}
