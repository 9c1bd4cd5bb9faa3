//! What a run of a harness counted and found, as one JSON line.
//!
//! ```text
//! {"harness":"c1","store":"sled","seed":7,"counts":{"faults":1000,"intact":12},"findings":[]}
//! ```

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

/// The report of one harness on one store.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    harness: &'static str,
    store: &'static str,
    seed: u64,
    counts: BTreeMap<&'static str, u64>,
    findings: Vec<String>,
}

impl Report {
    /// A report without a count or a finding.
    pub(crate) const fn new(harness: &'static str, store: &'static str, seed: u64) -> Self {
        Self { harness, store, seed, counts: BTreeMap::new(), findings: Vec::new() }
    }

    /// Counts one more of a thing.
    pub(crate) fn count(&mut self, what: &'static str) {
        self.add(what, 1);
    }

    /// Counts a number of a thing.
    pub(crate) fn add(&mut self, what: &'static str, number: u64) {
        *self.counts.entry(what).or_default() += number;
    }

    /// What chance was drawn from.
    pub(crate) const fn seed(&self) -> u64 {
        self.seed
    }

    /// Notes what must not be. The text tells enough to see it again.
    pub(crate) fn find(&mut self, what: String) {
        eprintln!("{} {} {}: {what}", self.harness, self.store, self.seed);
        self.count("findings");
        if self.findings.len() < FINDING_COUNT_MAX {
            self.findings.push(what);
        }
    }

    /// Whether nothing was found.
    pub(crate) const fn is_good(&self) -> bool {
        self.findings.is_empty()
    }

    /// Prints the line, and appends it to a file.
    ///
    /// # Errors
    /// What the file or stdout refused.
    pub(crate) fn publish(&self, out: Option<&Path>) -> io::Result<()> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        io::stdout().write_all(&line)?;
        out.map_or(Ok(()), |path| {
            OpenOptions::new().append(true).create(true).open(path)?.write_all(&line)
        })
    }
}

/// A report that is read again.
#[derive(Debug, Deserialize)]
pub(crate) struct Line {
    pub(crate) harness: String,
    pub(crate) store: String,
    pub(crate) seed: u64,
    pub(crate) counts: BTreeMap<String, u64>,
}

/// Findings that are written out; the others are only counted.
const FINDING_COUNT_MAX: usize = 20;
