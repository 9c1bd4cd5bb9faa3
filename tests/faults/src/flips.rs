//! C2: bits of a store's files flipped, as a disk that rots does.
//!
//! Each fault flips one to eight bits at one place of one file, or exchanges two pages of 4 KiB: of
//! a store that its last holder closed, and of one whose holder was killed. `--count` is how many
//! faults to try (default: 1 000), each file taking its turn. What was flipped must be refused or
//! have no effect: only the end of a log whose writer was killed may be taken for a write cut short.

use std::fs;

use peermq_storage::Kind;

use crate::harness::{Options, Outcome};
use crate::judge::Judge;
use crate::report::Report;
use crate::rng::Rng;
use crate::sample::{Ending, Sample};

/// Flips bits in stores of a kind.
///
/// # Errors
/// What kept the harness from doing its work.
pub(crate) fn run(kind: Kind, options: &Options, report: &mut Report) -> Outcome<()> {
    let mut judge = Judge::new(kind)?;
    let mut rng = Rng::new(options.seed);
    let count = options.count.unwrap_or(DEFAULT_COUNT);
    for (ending, count) in Ending::ALL.into_iter().zip([count.div_ceil(2), count / 2]) {
        let sample = Sample::new(kind, ending, BATCH_COUNT)?;
        let mut files = sample.files()?;
        files.retain(|(_, size)| *size > 0);
        for ((file, _), _) in files.iter().cycle().zip(0..count) {
            let copy = sample.copy()?;
            let path = copy.join(file);
            let mut bytes = fs::read(&path)?;
            let harm = harm(&mut bytes, &mut rng);
            fs::write(&path, bytes)?;
            let harm = format!("{ending:?}, {}: {harm}", file.display());
            judge.judge(&copy)?.report(sample.batch_count, &harm, report);
        }
    }
    Ok(())
}

/// Damages the bytes of a file, and says how.
fn harm(bytes: &mut [u8], rng: &mut Rng) -> String {
    if bytes.len() >= 2 * PAGE_SIZE && rng.below(8) == 0 {
        let page_count = bytes.len() / PAGE_SIZE;
        let (one, other) = (rng.index(page_count), rng.index(page_count));
        let (first, second) = (one.min(other), one.max(other));
        let (before, after) = bytes.split_at_mut(second * PAGE_SIZE);
        let pair = (before.chunks_mut(PAGE_SIZE).nth(first), after.chunks_mut(PAGE_SIZE).next());
        if let (Some(one), Some(other)) = pair {
            one.swap_with_slice(other);
        }
        return format!("pages {first} and {second} exchanged");
    }
    let place = rng.index(bytes.len());
    let mask = rng.mask();
    if let Some(byte) = bytes.get_mut(place) {
        *byte ^= mask;
    }
    format!("bits {mask:#04x} flipped at {place}")
}

const DEFAULT_COUNT: u64 = 1000;
const PAGE_SIZE: usize = 4 << 10;
/// Batches of a store: enough that old ones are removed.
const BATCH_COUNT: u64 = 130;
