//! What happened in a run, line by line: a hash of all of it, and its last lines.

use std::collections::VecDeque;
use std::fmt;

/// Whether lines are printed as they come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    /// Only the tail is kept, for a breach.
    Tail,
    /// Each line goes to standard output.
    All,
}

/// The lines of a run.
#[derive(Debug)]
pub(crate) struct Trace {
    hasher: blake3::Hasher,
    tail: VecDeque<String>,
    show: Show,
}

impl Trace {
    pub(crate) fn new(show: Show) -> Self {
        Self { hasher: blake3::Hasher::new(), tail: VecDeque::new(), show }
    }

    /// Adds a line.
    pub(crate) fn note(&mut self, line: fmt::Arguments<'_>) {
        let line = line.to_string();
        self.hasher.update(line.as_bytes()).update(b"\n");
        if self.show == Show::All {
            println!("{line}");
        }
        if self.tail.len() == TAIL_LINE_COUNT {
            self.tail.pop_front();
        }
        self.tail.push_back(line);
    }

    /// The first 16 hex digits of the hash of all lines.
    pub(crate) fn hash(&self) -> String {
        self.hasher.finalize().to_hex().chars().take(16).collect()
    }

    pub(crate) fn tail(&self) -> Vec<String> {
        self.tail.iter().cloned().collect()
    }
}

/// Lines that a breach shows.
const TAIL_LINE_COUNT: usize = 60;
