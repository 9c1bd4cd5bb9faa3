//! Runs inputs of a target with an ordinary compiler, and makes the corpus that fuzzing begins with.
//!
//! ```text
//! peermq-fuzzing TARGET FILE…     runs files, one that was found to crash for one
//! peermq-fuzzing seed DIR         writes the seeds of every target to DIR/<target>/
//! ```

use std::fs;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use peermq_fuzzing::{TARGETS, seeds};

fn main() -> io::Result<ExitCode> {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let Some((word, files)) = args.split_first().filter(|(_, rest)| !rest.is_empty()) else {
        eprintln!("usage: peermq-fuzzing TARGET FILE... | seed DIR");
        return Ok(ExitCode::from(2));
    };
    if word == "seed" {
        return files.iter().try_for_each(|dir| seed(Path::new(dir))).map(|()| ExitCode::SUCCESS);
    }
    let Some(target) = TARGETS.iter().find(|target| target.name == word) else {
        let names = TARGETS.map(|target| target.name).join(", ");
        eprintln!("expected one of the targets {names}, got {word}");
        return Ok(ExitCode::from(2));
    };
    for file in files {
        println!("{file}");
        (target.run)(&fs::read(file)?);
    }
    Ok(ExitCode::SUCCESS)
}

/// A seed is named by its place: libFuzzer names what it finds by a hash.
fn seed(dir: &Path) -> io::Result<()> {
    for target in TARGETS {
        let dir = dir.join(target.name);
        fs::create_dir_all(&dir)?;
        for (number, input) in seeds::seeds(target.name).into_iter().enumerate() {
            fs::write(dir.join(format!("seed-{number:02}")), input)?;
        }
    }
    Ok(())
}
