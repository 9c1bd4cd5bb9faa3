//! Counts the instructions of small fixed works, by valgrind's callgrind, and holds them against
//! those that were recorded.
//!
//! ```text
//! cargo run --profile counts -p peermq-measures -- check     # fails on a rise of more than 10 %
//! cargo run --profile counts -p peermq-measures -- record    # writes counts.json
//! ```
//!
//! Counts of another compiler say nothing of the code, so they are only held against those of the
//! same one: with a new compiler the check fails until they are recorded anew. They differ a little
//! between processors: hashes and ciphers choose their code by what the processor can do.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, ExitCode};

use peermq_measures::Outcome;
use peermq_measures::work::{MESSAGE_COUNT, WORKS};
use serde_json::{Value, json};

/// Instructions a message, by the name of the work.
type Counts = BTreeMap<String, u64>;

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args().skip(1).collect();
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let done = match *words {
        ["check"] => check(),
        ["record"] => record(),
        ["run", name] => run(name),
        _ => Err("usage: peermq-measures check | record | run WORK".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Does one work: what runs under callgrind.
fn run(name: &str) -> Outcome<()> {
    let work = WORKS.iter().find(|(own, _)| *own == name);
    let (_, work) = work.ok_or_else(|| format!("expected the name of a work, got {name:?}"))?;
    work()
}

fn record() -> Outcome<()> {
    let recorded = json!({ "rustc": rustc()?, "instructions_per_message": count_all()? });
    Ok(std::fs::write(RECORDED, format!("{recorded:#}\n"))?)
}

fn check() -> Outcome<()> {
    let recorded: Value = serde_json::from_str(&std::fs::read_to_string(RECORDED)?)?;
    let (expected, got) = (recorded.get("rustc").and_then(Value::as_str), rustc()?);
    if expected != Some(&got) {
        let expected = expected.unwrap_or_default();
        return Err(format!("expected {expected}, got {got}: record the counts anew").into());
    }
    let mut risen = Vec::new();
    for (name, count) in count_all()? {
        let before = recorded.pointer(&format!("/instructions_per_message/{name}"));
        let before = before.and_then(Value::as_u64).ok_or("expected a recorded count")?;
        println!("{name}: {count} instructions a message, {before} recorded");
        if count > before + before / 10 {
            risen.push(name);
        }
    }
    if risen.is_empty() {
        return Ok(());
    }
    Err(format!("risen by more than 10 %: {}; find out why, or record", risen.join(", ")).into())
}

fn count_all() -> Outcome<Counts> {
    WORKS.iter().map(|(name, _)| Ok(((*name).to_owned(), count(name)?))).collect()
}

/// Runs one work under callgrind.
fn count(name: &str) -> Outcome<u64> {
    let scratch = tempfile::tempdir()?;
    let file = scratch.path().join("callgrind");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--collect-atstart=no"])
        .arg(format!("--toggle-collect=*counted_{name}*"))
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(std::env::current_exe()?)
        .args(["run", name])
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let total = total(&file)?;
    if total == 0 {
        return Err(format!("expected instructions in counted_{name}, got none").into());
    }
    Ok(total / u64::try_from(MESSAGE_COUNT)?)
}

/// The sum of all that callgrind counted (Callgrind format, "totals").
fn total(file: &Path) -> Outcome<u64> {
    let text = std::fs::read_to_string(file)?;
    let totals = text.lines().rev().find_map(|line| line.strip_prefix("totals: "));
    Ok(totals.ok_or("expected callgrind's totals")?.trim().parse()?)
}

fn rustc() -> Outcome<String> {
    let output = Command::new("rustc").arg("--version").output()?;
    Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
}

/// The recorded counts, beside this package's manifest.
const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/counts.json");
