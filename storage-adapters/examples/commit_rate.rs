//! How fast each adapter commits, beside a bare append with `fdatasync` in the same run.
//!
//! ```text
//! commit_rate [ROUNDS] [DIR]      medians of ROUNDS (3), in DIR (the temporary directory)
//! ```
//!
//! One line per store and size of value: commits of one new key each per second, their ratio to the
//! bare append's, resident memory after an open of an empty store, after the commits, and after an
//! open of the store that they left, then the time of that open and the bytes on disk. Each store
//! runs in a process of its own.

use std::error::Error;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use peermq_storage::{Batch, Bytes, Kind, Opened, open};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["commits", kind, size, dir] => commits(kind.parse()?, size.parse()?, Path::new(dir)),
        ["reopen", kind, dir] => reopen(kind.parse()?, Path::new(dir)),
        [] => compare(3, &std::env::temp_dir()),
        [rounds] => compare(rounds.parse()?, &std::env::temp_dir()),
        [rounds, dir] => compare(rounds.parse()?, Path::new(dir)),
        _ => Err("expected [ROUNDS [DIR]]".into()),
    }
}

fn compare(round_count: u32, dir: &Path) -> Outcome<()> {
    println!(
        "{:<7}{:>8}{:>11}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}",
        "store",
        "value B",
        "commits/s",
        "x append",
        "new MiB",
        "end MiB",
        "open MiB",
        "open ms",
        "disk MB"
    );
    for size in [300, 25 << 10] {
        let mut appends = Vec::new();
        let mut rows = vec![Vec::new(); Kind::available().len()];
        for _ in 0..round_count {
            let scratch = tempfile::tempdir_in(dir)?;
            appends.push(append_rate(&scratch.path().join("append"), size)?);
            for (kind, row) in Kind::available().iter().zip(&mut rows) {
                row.push(measure(*kind, size, scratch.path())?);
            }
        }
        let append = median(appends);
        println!("{:<7}{size:>8}{append:>11.0}", "append");
        for (kind, row) in Kind::available().iter().zip(rows) {
            let column = |number: usize| {
                median(row.iter().filter_map(|figures| figures.get(number).copied()).collect())
            };
            print!("{kind:<7}{size:>8}{:>11.0}{:>9.2}", column(0), column(0) / append);
            println!(
                "{:>9.1}{:>9.1}{:>9.1}{:>9.1}{:>9.1}",
                column(1),
                column(2),
                column(3),
                column(4),
                column(5)
            );
        }
    }
    Ok(())
}

/// Runs one store in processes of its own and takes the figures that they print.
fn measure(kind: Kind, size: usize, scratch: &Path) -> Outcome<Vec<f64>> {
    let home = scratch.join(kind.name());
    fs::create_dir(&home)?;
    let (dir, size) = (home.display().to_string(), size.to_string());
    let mut figures = child(&["commits", kind.name(), &size, &dir])?;
    figures.extend(child(&["reopen", kind.name(), &dir])?);
    fs::remove_dir_all(home)?;
    Ok(figures)
}

fn child(arguments: &[&str]) -> Outcome<Vec<f64>> {
    let output = Command::new(std::env::current_exe()?).args(arguments).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let text = String::from_utf8(output.stdout)?;
    Ok(text.split_whitespace().map(str::parse).collect::<Result<_, _>>()?)
}

fn commits(kind: Kind, size: usize, home: &Path) -> Outcome<()> {
    let store = opened(kind, home)?.store;
    let new_mib = resident_mib()?;
    let value = Bytes::from(vec![0x5a; size]);
    let start = now();
    let mut count = 0_u32;
    while start.elapsed() < ROUND_TIME {
        let mut batch = Batch::new();
        batch.put(count.to_be_bytes().to_vec(), value.clone());
        store.commit(batch)?;
        count += 1;
    }
    let rate = f64::from(count) / start.elapsed().as_secs_f64();
    println!("{rate} {new_mib} {}", resident_mib()?);
    Ok(())
}

fn reopen(kind: Kind, home: &Path) -> Outcome<()> {
    let start = now();
    let Opened { store, .. } = opened(kind, home)?;
    let open_ms = start.elapsed().as_secs_f64() * 1000.0;
    store.get(b"none")?;
    println!("{} {open_ms} {}", resident_mib()?, disk_mb(home)?);
    Ok(())
}

fn opened(kind: Kind, home: &Path) -> Outcome<Opened> {
    Ok(open(kind, &home.join("store"), &home.join("poison"))?)
}

fn append_rate(path: &Path, size: usize) -> Outcome<f64> {
    let mut file = File::create(path)?;
    let bytes = vec![0x5a; size];
    let start = now();
    let mut count = 0_u32;
    while start.elapsed() < ROUND_TIME {
        file.write_all(&bytes)?;
        file.sync_data()?;
        count += 1;
    }
    Ok(f64::from(count) / start.elapsed().as_secs_f64())
}

fn resident_mib() -> Outcome<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()).ok_or("expected VmRSS")?;
    Ok(kib.parse::<f64>()? / 1024.0)
}

/// What the files take on disk, in blocks, not what their lengths say.
fn disk_mb(dir: &Path) -> Outcome<f64> {
    let output = Command::new("du").arg("-sk").arg(dir).output()?;
    let text = String::from_utf8(output.stdout)?;
    let kib = text.split_whitespace().next().ok_or("expected the output of du")?;
    Ok(kib.parse::<f64>()? / 1000.0)
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

#[expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
fn now() -> Instant {
    Instant::now()
}

const ROUND_TIME: Duration = Duration::from_secs(2);
