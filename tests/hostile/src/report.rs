//! What an attack came to, as one JSON line.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::Outcome;
use crate::target::{Target, Usage};

/// What was tried, what came of it, and what it cost the node.
#[derive(Debug, Serialize)]
pub struct Report {
    case: &'static str,
    counts: BTreeMap<&'static str, u64>,
    #[serde(skip)]
    before: Usage,
    #[serde(skip)]
    began: tokio::time::Instant,
}

impl Report {
    /// A report that begins now.
    ///
    /// # Errors
    /// When the node's use cannot be read.
    pub fn begin(case: &'static str, target: &Target) -> Outcome<Self> {
        let began = tokio::time::Instant::now();
        Ok(Self { case, counts: BTreeMap::new(), before: target.usage()?, began })
    }

    /// Leaves out of the cost what the node has used up to now.
    ///
    /// # Errors
    /// As [`Report::begin`].
    pub fn begin_again(&mut self, target: &Target) -> Outcome {
        let case = self.case;
        *self = Self::begin(case, target)?;
        Ok(())
    }

    /// Adds to a count.
    pub fn add(&mut self, what: &'static str, number: u64) {
        *self.counts.entry(what).or_default() += number;
    }

    /// Keeps the highest of all numbers.
    pub fn most(&mut self, what: &'static str, number: u64) {
        let most = self.counts.entry(what).or_default();
        *most = number.max(*most);
    }

    /// A count; 0 when nothing was counted.
    #[must_use]
    pub fn count(&self, what: &str) -> u64 {
        self.counts.get(what).copied().unwrap_or_default()
    }

    /// Takes in what the node uses at this moment: the highest memory counts.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn measure(&mut self, target: &Target) -> Outcome {
        let usage = target.usage()?;
        let grown = usage.resident_kib.saturating_sub(self.before.resident_kib);
        self.most("grown_kib", grown);
        let written = usage.written_kib.saturating_sub(self.before.written_kib);
        self.counts.insert("written_kib", written);
        let cpu = usage.cpu.saturating_sub(self.before.cpu);
        let share = cpu.as_millis() * 100 / self.began.elapsed().as_millis().max(1);
        self.counts.insert("cpu_ms", u64::try_from(cpu.as_millis())?);
        self.counts.insert("core_percent", u64::try_from(share)?);
        Ok(())
    }

    /// The line.
    ///
    /// # Errors
    /// Never: counts are JSON.
    pub fn line(&self) -> Outcome<String> {
        Ok(serde_json::to_string(self)?)
    }
}
