//! The fault harnesses: each does harm on purpose, counts what was survived, and says what was not.
//!
//! ```text
//! cargo run --release -p peermq-faults -- c1 --store all --seed 7 --count 1000 --out faults.jsonl
//! cargo run --release -p peermq-faults -- table faults.jsonl
//! ```
//!
//! Each run appends one JSON line per store to the file of `--out`, and prints it. Exit status: 0
//! nothing was found, 1 something was, 2 usage.

mod c3;
mod c4;
mod f1;
mod f2;
mod flips;
mod harness;
mod judge;
mod k1;
mod k2;
mod ledger;
mod p1;
mod program;
mod report;
mod rng;
mod running;
mod sample;
mod side;
mod site;
mod small_disk;
mod sweep;
mod table;
mod trace;
mod truncation;
mod workload;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use peermq_storage::Kind;

use crate::harness::{Options, Outcome};

/// What a durable queue says of faults is believed when they are counted.
#[derive(Debug, Parser)]
#[command(name = "peermq-faults", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Cuts a store's files short, at every offset of their last 64 KiB.
    C1(Options),
    /// Flips bits and exchanges pages of a store's files.
    C2(Options),
    /// Puts older copies of a data directory in its place while peers hold newer heads; counts copies
    /// (50).
    C3(Options),
    /// Opens data directories twice, and kills holders meanwhile; counts rounds (50).
    C4(Options),
    /// Opens a data directory through the library (the child of c4).
    #[command(hide = true)]
    Open(c4::Opener),
    /// Fails the n-th sync of a file, then the n-th write, of sender and receiver, for every n; with
    /// a count, only one call in so many (1).
    F1(Options),
    /// Fills a small disk under nodes at work, and frees it; counts cycles (30). Needs `unshare`.
    F2(Options),
    /// Kills senders and receivers at random instants, again and again on the same directories;
    /// counts cycles (500).
    K1(Options),
    /// Kills sender and receiver at every call that writes, and again while they recover; with a
    /// count, only at one call in so many (1).
    K2(Options),
    /// Cuts the power of a disk that a sender, a receiver or both are on; counts cuts (100). Needs
    /// root, python3, mkfs.ext4 and loop devices.
    P1(Options),
    /// Sends until the power goes (the child of p1).
    #[command(hide = true)]
    P1Write(p1::Cut),
    /// Judges what a cut has left (the child of p1).
    #[command(hide = true)]
    P1Verify(p1::Cut),
    /// Prints reports as the table of the README.
    Table {
        /// Files that `--out` has written.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Judges the stores whose directories come in on stdin, one a line (the harnesses' own child).
    #[command(hide = true)]
    Judge {
        /// The kind of the stores.
        store: Kind,
    },
    /// Commits numbered batches and appends each number to a file once its commit has returned.
    Write {
        /// The kind of the store.
        store: Kind,
        /// The directory that the store and its poison file lie in.
        dir: PathBuf,
        /// The file for the numbers, one a line.
        ack: PathBuf,
        /// How many batches; without it, until the process is killed.
        #[arg(long, default_value_t = u64::MAX, hide_default_value = true)]
        count: u64,
    },
    /// Fails unless batches 0 to ACKED are in a store, whole, and at most one more.
    Verify {
        /// The kind of the store.
        store: Kind,
        /// The directory that the store and its poison file lie in.
        dir: PathBuf,
        /// The number of the last batch whose commit had returned; -1 for none.
        #[arg(allow_negative_numbers = true)]
        acked: i64,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(code) => code,
        Err(error) => {
            // The fault may meet this very write.
            let _ = writeln!(io::stderr(), "peermq-faults: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Outcome<ExitCode> {
    match command {
        Command::C1(options) => options.run("c1", truncation::run),
        Command::C2(options) => options.run("c2", flips::run),
        Command::C3(options) => options.run("c3", c3::run),
        Command::C4(options) => options.run("c4", c4::run),
        Command::Open(opener) => {
            println!("{}", opener.open()?);
            Ok(ExitCode::SUCCESS)
        }
        Command::F1(options) => options.run("f1", f1::run),
        Command::F2(options) => options.run("f2", f2::run),
        Command::K1(options) => options.run("k1", k1::run),
        Command::K2(options) => options.run("k2", k2::run),
        Command::P1(options) => options.run("p1", p1::run),
        Command::P1Write(cut) => cut.write().map(|()| ExitCode::SUCCESS),
        Command::P1Verify(cut) => cut.verify().map(|()| ExitCode::SUCCESS),
        Command::Table { files } => {
            print!("{}", table::render(&files)?);
            Ok(ExitCode::SUCCESS)
        }
        Command::Judge { store } => judge::serve(store).map(|()| ExitCode::SUCCESS),
        Command::Write { store, dir, ack, count } => {
            workload::write(store, &dir, &ack, count).map(|()| ExitCode::SUCCESS)
        }
        Command::Verify { store, dir, acked } => {
            println!("{}", workload::verify(store, &dir, acked)?);
            Ok(ExitCode::SUCCESS)
        }
    }
}
