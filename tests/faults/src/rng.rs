//! Chance from a seed, so that a run can be seen again.

/// SplitMix64. (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014.)
#[derive(Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    /// The sequence of a seed.
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `end`, which is not 0.
    pub(crate) const fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// True once in so many times.
    pub(crate) const fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// A place in something of a size, which is not 0.
    pub(crate) fn index(&mut self, size: usize) -> usize {
        let end = u64::try_from(size).unwrap_or(u64::MAX);
        usize::try_from(self.below(end)).unwrap_or(0)
    }

    /// A byte with at least one bit set; with one alone half of the time.
    pub(crate) fn mask(&mut self) -> u8 {
        let byte = u8::try_from(self.below(255)).unwrap_or(0) + 1;
        if self.below(2) == 0 { 1 << (byte % 8) } else { byte }
    }

    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
