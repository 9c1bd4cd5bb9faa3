//! What the command line asks for.

use std::path::PathBuf;

use peermq_storage::Kind;

use crate::Outcome;
use crate::table::Format;

/// What to measure, how often and where.
pub(crate) struct Arguments {
    figures: Vec<String>,
    pub(crate) stores: Vec<Kind>,
    pub(crate) messages: usize,
    pub(crate) rounds: usize,
    pub(crate) peers: usize,
    pub(crate) sessions: usize,
    pub(crate) body_mib: u32,
    pub(crate) dir: PathBuf,
    pub(crate) format: Format,
}

impl Arguments {
    /// Reads the arguments after the program's name; `--bench`, which cargo adds, says nothing.
    pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Outcome<Self> {
        let mut parsed = Self {
            figures: Vec::new(),
            stores: Kind::available().to_vec(),
            messages: 100_000,
            rounds: 3,
            peers: 1_000,
            sessions: 100,
            body_mib: 1_024,
            dir: std::env::temp_dir(),
            format: Format::Text,
        };
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{argument} wants a value"));
            match argument.as_str() {
                "--bench" => {}
                "--json" => parsed.format = Format::Json,
                "--store" => parsed.stores = vec![value()?.parse()?],
                "--messages" => parsed.messages = value()?.parse()?,
                "--rounds" => parsed.rounds = value()?.parse()?,
                "--peers" => parsed.peers = value()?.parse()?,
                "--sessions" => parsed.sessions = value()?.parse()?,
                "--body-mib" => parsed.body_mib = value()?.parse()?,
                "--dir" => parsed.dir = value()?.into(),
                figure if figure.starts_with(['V', 'G']) => parsed.figures.push(argument),
                other => return Err(format!("expected a figure such as V1, got {other}").into()),
            }
        }
        Ok(parsed)
    }

    /// Whether one of these figures was asked for; without any, all are.
    pub(crate) fn wants_any(&self, figures: &[&str]) -> bool {
        self.figures.is_empty() || figures.iter().any(|figure| self.names(figure))
    }

    /// Whether this figure was asked for by its name.
    pub(crate) fn names(&self, figure: &str) -> bool {
        self.figures.iter().any(|own| own == figure)
    }
}
