//! Inputs made of kept ones: what libFuzzer does, in small, and the same for the same seed.

/// Makes inputs of a corpus, from one seed.
#[derive(Debug)]
pub struct Mutator<'a> {
    corpus: &'a [Vec<u8>],
    state: u64,
}

impl<'a> Mutator<'a> {
    /// A mutator of a corpus, which may be empty.
    #[must_use]
    pub const fn new(corpus: &'a [Vec<u8>], seed: u64) -> Self {
        Self { corpus, state: seed }
    }

    /// The next input.
    pub fn next_input(&mut self) -> Vec<u8> {
        let count = self.corpus.len();
        let mut input = match count {
            0 => Vec::new(),
            _ => self.corpus[self.below(count)].clone(),
        };
        for _ in 0..=self.below(4) {
            self.change(&mut input);
        }
        input
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let at = self.below(input.len() + 1);
        let byte = [0, 1, 0x7f, 0x80, 0xfe, 0xff, self.byte()][self.below(7)];
        match self.below(7) {
            0 => input.insert(at, byte),
            1 => input.truncate(at),
            2 => {
                let end = input.len().min(at + 1 + self.below(8));
                input.drain(at..end);
            }
            3 if !self.corpus.is_empty() => {
                let other = &self.corpus[self.below(self.corpus.len())];
                let from = self.below(other.len() + 1);
                input.truncate(at);
                input.extend(other.iter().skip(from));
            }
            4 => input.extend((0..1 + at % 16).map(|_| self.byte())),
            _ => match input.get_mut(at) {
                Some(there) => *there = byte,
                None => input.push(byte),
            },
        }
        input.truncate(INPUT_SIZE_MAX);
    }

    fn byte(&mut self) -> u8 {
        u8::try_from(self.below(256)).expect("it is below 256")
    }

    /// A number below `end`, which is not 0 (`SplitMix64`: Steele, Lea and Flood, "Fast Splittable
    /// Pseudorandom Number Generators", 2014).
    fn below(&mut self, end: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let end = u64::try_from(end).expect("a count fits u64");
        usize::try_from((mixed ^ (mixed >> 31)) % end).expect("it is below a usize")
    }
}

/// Bytes of an input: most of what there is to say fits.
const INPUT_SIZE_MAX: usize = 4_096;
