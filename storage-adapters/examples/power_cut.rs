//! Writes to a store until the power goes, and judges what a cut has left.
//!
//! ```text
//! power_cut write KIND DIR ACK       commits batch 0, 1, … and appends each number to ACK when its
//!                                    commit has returned
//! power_cut verify KIND DIR ACKED    fails unless batches 0 ..= ACKED are there, whole, and at most
//!                                    one more
//! ```
//!
//! Batch n sets the key of n, overwrites the key of each older batch that shares its slot, and
//! removes what is `SPAN` batches old, so that the engines turn their files over. What a store must
//! hold after batch n is thus known from n alone. `tests/faults/power-cut.py` cuts the power:
//!
//! ```text
//! power-cut.py --cuts 15 --write 'power_cut write sled {dir} {ack}' \
//!     --verify 'power_cut verify sled {dir} {acked}'
//! ```

use std::error::Error;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use peermq_storage::{Batch, Bytes, Kind, Opened, open};

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments[..] {
        ["write", kind, dir, ack] => write(kind, Path::new(dir), Path::new(ack)),
        ["verify", kind, dir, acked] => verify(kind, Path::new(dir), acked),
        _ => Err("expected write KIND DIR ACK, or verify KIND DIR ACKED".into()),
    };
    outcome.map_or_else(
        |error| {
            eprintln!("{error}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}

fn write(kind: &str, dir: &Path, ack: &Path) -> Outcome {
    let store = opened(kind, dir)?.store;
    let mut ack = OpenOptions::new().append(true).create(true).open(ack)?;
    for number in 0.. {
        store.commit(batch(number))?;
        writeln!(ack, "{number}")?;
    }
    Ok(())
}

fn verify(kind: &str, dir: &Path, acked: &str) -> Outcome {
    let acked: i64 = acked.parse()?;
    let Opened { store, health } = opened(kind, dir)?;
    // A batch in flight when the power went may be there or not; a key tells which.
    let next = u64::try_from(acked + 1)?;
    let kept = if store.get(&key(next))?.is_some() { next + 1 } else { next };
    let mut batch_count = 0;
    for pair in store.scan(b"k".as_slice()..b"l".as_slice()) {
        let (found, value) = pair?;
        let number = kept.saturating_sub(SPAN) + batch_count;
        if found != key(number) || value != body(number) {
            return Err(format!("expected batch {number}, got {found:?}").into());
        }
        batch_count += 1;
    }
    if batch_count != kept.min(SPAN) {
        return Err(format!("expected {} batches, got {batch_count}", kept.min(SPAN)).into());
    }
    for slot in 0..SLOT_COUNT {
        let newest =
            (0..kept).rev().take(usize::try_from(SLOT_COUNT)?).find(|n| n % SLOT_COUNT == slot);
        if store.get(&slot_key(slot))? != newest.map(body) {
            return Err(format!("expected slot {slot} of batch {newest:?}").into());
        }
    }
    // It must take new batches as well.
    store.commit(batch(kept))?;
    println!("{health:?}: {kept} batches, {acked} was the last to be acknowledged");
    Ok(())
}

fn opened(kind: &str, dir: &Path) -> Result<Opened, Box<dyn Error>> {
    let kind: Kind = kind.parse()?;
    Ok(open(kind, &dir.join("store"), &dir.join("poison"))?)
}

fn batch(number: u64) -> Batch {
    let mut batch = Batch::new();
    batch.put(key(number), body(number));
    batch.put(slot_key(number % SLOT_COUNT), body(number));
    if let Some(old) = number.checked_sub(SPAN) {
        batch.remove(key(old));
    }
    batch
}

fn key(number: u64) -> Bytes {
    [b"k", &number.to_be_bytes()[..]].concat().into()
}

fn slot_key(slot: u64) -> Bytes {
    [b"s", &slot.to_be_bytes()[..]].concat().into()
}

/// Bytes that no other batch has; their number varies from 0 to 60 000.
fn body(number: u64) -> Bytes {
    let size = usize::try_from(number.wrapping_mul(7919) % 60_001).unwrap_or(0);
    number.to_be_bytes().iter().copied().cycle().take(size).collect()
}

/// Batches whose keys are kept.
const SPAN: u64 = 100;
/// Keys that are overwritten again and again.
const SLOT_COUNT: u64 = 16;
