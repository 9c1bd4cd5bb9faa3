//! C1: a store's files cut short.
//!
//! Each file is cut at offsets of its last 64 KiB, and at last taken away: of a store that its last
//! holder closed, and of one whose holder was killed. `--count` is how many cuts to try per file,
//! spread evenly from an offset that the seed tells (default: every offset).

use std::fs::{self, OpenOptions};

use peermq_storage::Kind;

use crate::harness::{Options, Outcome};
use crate::judge::Judge;
use crate::report::Report;
use crate::sample::{Ending, Sample};

/// Cuts the files of stores of a kind.
///
/// # Errors
/// What kept the harness from doing its work.
pub(crate) fn run(kind: Kind, options: &Options, report: &mut Report) -> Outcome<()> {
    let mut judge = Judge::new(kind)?;
    for ending in Ending::ALL {
        let sample = Sample::new(kind, ending, BATCH_COUNT)?;
        for (file, size) in sample.files()? {
            for cut in cuts(size, options) {
                let copy = sample.copy()?;
                OpenOptions::new().write(true).open(copy.join(&file))?.set_len(cut)?;
                let harm = format!("{ending:?}, {} cut to {cut} bytes", file.display());
                judge.judge(&copy)?.report(sample.batch_count, &harm, report);
            }
            let copy = sample.copy()?;
            fs::remove_file(copy.join(&file))?;
            let harm = format!("{ending:?}, {} taken away", file.display());
            judge.judge(&copy)?.report(sample.batch_count, &harm, report);
        }
    }
    Ok(())
}

/// The sizes to cut a file to.
fn cuts(size: u64, options: &Options) -> impl Iterator<Item = u64> {
    let span = size.min(TAIL_SIZE);
    let count = options.count.unwrap_or(span).clamp(1, span.max(1));
    let phase = options.seed % (span / count).max(1);
    (0..count).map(move |nth| size - span + nth * span / count + phase).filter(move |&at| at < size)
}

/// Bytes at a file's end that are cut off step by step.
const TAIL_SIZE: u64 = 64 << 10;
/// Batches of a store: enough that old ones are removed.
const BATCH_COUNT: u64 = 130;
