//! F1: a disk that refuses the n-th sync or the n-th write, for every n.
//!
//! A child commits numbered batches under `strace`, which makes one system call of it fail with
//! EIO; n goes up until a child got through without meeting its fault, or `--count` is reached. The
//! child must end by itself, with success or with an error of the store, and without a panic; then
//! everything that it acknowledged must be there.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use peermq_storage::Kind;

use crate::harness::{Options, Outcome};
use crate::judge::{Judge, Verdict};
use crate::report::Report;

/// Fails the calls of writers to stores of a kind.
///
/// # Errors
/// What kept the harness from doing its work.
pub(crate) fn run(kind: Kind, options: &Options, report: &mut Report) -> Outcome<()> {
    if Command::new("strace").arg("--version").output().is_err() {
        eprintln!("skipped: f1 needs strace");
        report.count("skipped");
        return Ok(());
    }
    let mut judge = Judge::new(kind)?;
    for calls in [SYNCS, WRITES] {
        for nth in 1..=options.count.unwrap_or(u64::MAX) {
            if !fault(kind, calls, nth, &mut judge, report)? {
                break;
            }
        }
    }
    Ok(())
}

/// One writer and its fault. False when it never met it.
fn fault(
    kind: Kind,
    calls: &str,
    nth: u64,
    judge: &mut Judge,
    report: &mut Report,
) -> Outcome<bool> {
    let dir = tempfile::tempdir()?;
    let (store, ack, trace) = (dir.path().join("s"), dir.path().join("ack"), dir.path().join("t"));
    fs::create_dir(&store)?;
    let ended = Command::new("timeout")
        .args(["--signal=KILL", PATIENCE, "strace", "-f", "-qq", "-o"])
        .arg(&trace)
        .args(["-e", &format!("trace={calls}"), "-e"])
        .arg(format!("inject={calls}:error=EIO:when={nth}"))
        .arg(std::env::current_exe()?)
        .args(["write", kind.name(), "--count", BATCH_COUNT])
        .args([&store, &ack])
        .output()?;
    if !fs::read_to_string(&trace)?.contains("(INJECTED)") {
        return Ok(false);
    }
    report.count("faults");
    let harm = format!("{calls} {nth} failed");
    if let Some(what) = bad_end(&ended) {
        report.find(format!("{harm}: {what}"));
    }
    let acked = acknowledged(&ack);
    report.add("acknowledged", acked);
    match judge.judge(&store)? {
        Verdict::Clean(kept) | Verdict::Recovered(kept) if kept == acked || kept == acked + 1 => {
            report.count("intact");
        }
        verdict => report.find(format!("{harm}: {acked} acknowledged, {verdict:?}")),
    }
    Ok(true)
}

/// What is wrong with the way a writer ended: it may only be done, or fail as a program does.
fn bad_end(ended: &Output) -> Option<String> {
    let text = String::from_utf8_lossy(&ended.stderr).replace('\n', " ");
    let start: String = text.chars().take(TEXT_SIZE_MAX).collect();
    (!matches!(ended.status.code(), Some(0 | 1))).then(|| format!("{}: {start}", ended.status))
}

/// How many batches the writer has said to be durable.
fn acknowledged(ack: &Path) -> u64 {
    // A writer that could not open its store has acknowledged nothing.
    let lines = fs::read_to_string(ack).unwrap_or_default();
    u64::try_from(lines.lines().count()).unwrap_or(u64::MAX)
}

const SYNCS: &str = "fdatasync,fsync,sync_file_range";
const WRITES: &str = "pwrite64,write,writev,pwritev";
/// Seconds that a writer may take under strace.
const PATIENCE: &str = "120";
/// Batches that a writer commits.
const BATCH_COUNT: &str = "12";
/// Letters of a writer's last words that a finding keeps.
const TEXT_SIZE_MAX: usize = 300;
