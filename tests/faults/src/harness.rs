//! What all harnesses share: their options, and one run over the chosen stores.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;

use clap::Args;
use peermq_storage::Kind;

use crate::report::Report;

/// A result of a harness itself: an error means that it could not do its work.
pub(crate) type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// The options of each harness.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The store: sled, redb, fjall, or all of them one after the other.
    #[arg(long, default_value = "all")]
    store: Stores,
    /// What chance is drawn from; the same seed does the same harm.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// How many faults per store; each harness says what it counts, and has its own default.
    #[arg(long, visible_aliases = ["cycles", "cuts", "every"])]
    pub(crate) count: Option<u64>,
    /// The program under test, for harnesses that run it; else the `peermq` beside this program.
    #[arg(long)]
    pub(crate) peermq: Option<PathBuf>,
    /// The file that takes one JSON line per store.
    #[arg(long)]
    out: Option<PathBuf>,
}

impl Options {
    /// Runs a harness on each chosen store, and reports. The exit status tells of findings.
    ///
    /// # Errors
    /// What kept a harness from doing its work.
    pub(crate) fn run(
        &self,
        name: &'static str,
        harness: impl Fn(Kind, &Self, &mut Report) -> Outcome<()>,
    ) -> Outcome<ExitCode> {
        let mut code = ExitCode::SUCCESS;
        for &store in &self.store.0 {
            let mut report = Report::new(name, store.name(), self.seed);
            harness(store, self, &mut report)?;
            report.publish(self.out.as_deref())?;
            if !report.is_good() {
                code = ExitCode::FAILURE;
            }
        }
        Ok(code)
    }
}

/// One kind of store, or all.
#[derive(Debug, Clone)]
struct Stores(Vec<Kind>);

impl FromStr for Stores {
    type Err = <Kind as FromStr>::Err;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        if name == "all" {
            return Ok(Self(Kind::available().to_vec()));
        }
        name.parse().map(|kind| Self(vec![kind]))
    }
}
