//! The bytes of an input, read as choices: what to do next, where, with which number.
//!
//! Each choice takes the bytes in front; when none are left every choice is the first one. So any
//! bytes are an input, and a shorter one is a simpler one.

/// What is left of an input.
#[derive(Debug, Clone)]
pub(crate) struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One byte.
    pub(crate) fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    /// A number below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let size = if end > 256 { 4 } else { 1 };
        let number = self
            .take(size)
            .iter()
            .fold(0, |sum: usize, byte| sum.wrapping_mul(256).wrapping_add(usize::from(*byte)));
        number % end
    }

    /// Any number: a small one, one near the largest, or eight bytes.
    pub(crate) fn number(&mut self) -> u64 {
        match self.byte() {
            0xff => u64::MAX - u64::from(self.byte()),
            0xfe => self.take(8).iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte)),
            small => small.into(),
        }
    }

    /// A range of any two numbers, the smaller first.
    pub(crate) fn range(&mut self) -> std::ops::Range<u64> {
        let (one, other) = (self.number(), self.number());
        one.min(other)..one.max(other)
    }

    /// At most `max` bytes: as many as a byte says.
    pub(crate) fn bytes(&mut self, max: usize) -> &'a [u8] {
        let size = usize::from(self.byte()).min(max);
        self.take(size)
    }

    /// All that is left.
    pub(crate) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    /// Puts other bits in place of some, at most eight times. Tells whether anything changed.
    pub(crate) fn harm(&mut self, bytes: &mut [u8]) -> bool {
        let before = bytes.to_vec();
        for _ in 0..self.below(8) {
            let place = self.below(bytes.len().max(1));
            let mask = self.byte();
            if let Some(byte) = bytes.get_mut(place) {
                *byte ^= mask;
            }
        }
        before != bytes
    }

    fn take(&mut self, size: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(size.min(self.0.len()));
        self.0 = rest;
        taken
    }
}
