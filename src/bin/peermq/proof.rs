//! Proofs as files, and what they say in words and as JSON.

use std::fmt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use peermq::gateway::schema::Root;
use peermq::limits::PROOF_SIZE_MAX;
use peermq::log::Decoded;
use peermq::node::{Proof, Proven, ProvenDelivery, ProvenFork};
use peermq::types::{Epoch, Seq, UnixMs};
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::error::CliError;
use crate::output::Output;
use crate::time::Rfc3339;

/// What a proof has proven.
#[derive(Debug, Serialize)]
#[serde(tag = "proof", rename_all = "snake_case")]
pub(crate) enum Finding {
    Delivery(DeliveryFinding),
    Fork(ForkFinding),
}

/// An author has signed two versions of its log.
#[derive(Debug, Serialize)]
pub(crate) struct ForkFinding {
    author: String,
    epoch: Epoch,
    first: Root,
    second: Root,
}

/// A message is at its recipient, by the recipient's word.
#[derive(Debug, Serialize)]
pub(crate) struct DeliveryFinding {
    signer: String,
    author: String,
    epoch: Epoch,
    seq: Seq,
    state: String,
    #[serde(flatten)]
    entry: Option<EntryFinding>,
}

/// What the entry says of its message; a later version's says nothing that can be read.
#[derive(Debug, Serialize)]
struct EntryFinding {
    time: UnixMs,
    body_size: u64,
    body_hash: String,
}

/// A proof with its bytes, as one object.
#[derive(Debug, Serialize)]
struct ProofJson {
    #[serde(flatten)]
    finding: Finding,
    bytes: String,
}

impl Finding {
    /// What a proof's bytes prove.
    pub(crate) fn of(bytes: &[u8]) -> Result<Self, CliError> {
        let proven = Proof::decode(bytes).and_then(|proof| proof.verify());
        match proven.map_err(|error| CliError::Failed(error.to_string()))? {
            Proven::Delivery(delivery) => Ok(Self::Delivery(DeliveryFinding::new(&delivery))),
            Proven::Fork(fork) => Ok(Self::Fork(ForkFinding::new(&fork))),
            _ => Err(CliError::Failed("expected a proof of a known kind, got another".to_owned())),
        }
    }
}

impl DeliveryFinding {
    fn new(proven: &ProvenDelivery) -> Self {
        let ProvenDelivery { receiver, author, epoch, seq, standing, entry } = proven;
        let entry = match entry {
            Decoded::Header(header) => Some(EntryFinding {
                time: header.time,
                body_size: header.body_len,
                body_hash: header.body_hash.to_string(),
            }),
            Decoded::Unsupported { .. } => None,
        };
        let (signer, author) = (receiver.to_string(), author.to_string());
        Self { signer, author, epoch: *epoch, seq: *seq, state: standing.to_string(), entry }
    }
}

impl ForkFinding {
    fn new(proven: &ProvenFork) -> Self {
        let (first, second) = (*proven.first(), *proven.second());
        let (author, epoch) = (first.author.to_string(), first.epoch);
        Self { author, epoch, first: first.into(), second: second.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delivery(delivery) => delivery.fmt(f),
            Self::Fork(fork) => fork.fmt(f),
        }
    }
}

impl fmt::Display for DeliveryFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { signer, author, epoch, seq, state, entry } = self;
        write!(f, "{signer} has signed that it {state} message {epoch}.{seq} of {author}")?;
        let Some(EntryFinding { time, body_size, body_hash }) = entry else { return Ok(()) };
        let time = Rfc3339(*time);
        write!(f, ", written {time}: {body_size} sealed bytes with the BLAKE3 hash {body_hash}")
    }
}

impl fmt::Display for ForkFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { author, epoch, first, second } = self;
        write!(
            f,
            "{author} has signed two versions of its log {epoch}: root {} at {} entries, and root {} \
             at {}, which does not grow from it",
            first.root, first.length, second.root, second.length
        )
    }
}

/// Refuses to write bytes to a terminal.
pub(crate) fn check_target(output: Output, file: Option<&Path>) -> Result<(), CliError> {
    if file.is_none() && output.is_terminal() {
        let text = "expected --out FILE, --json or a pipe for the proof's bytes, got a terminal";
        return Err(CliError::Failed(text.to_owned()));
    }
    Ok(())
}

/// Puts a proof where the user wants it, once it has been verified here too.
pub(crate) async fn deliver(
    output: Output,
    file: Option<&Path>,
    bytes: &[u8],
) -> Result<(), CliError> {
    let finding = Finding::of(bytes)?;
    if let Some(path) = file {
        tokio::fs::write(path, bytes).await.map_err(|error| {
            CliError::Failed(format!("expected to write the proof to {path:?}, got: {error}"))
        })?;
    }
    match (output.is_json(), file) {
        (true, _) => {
            let json = ProofJson { finding, bytes: STANDARD.encode(bytes) };
            output.result("", &json).await
        }
        (false, Some(_)) => Ok(()),
        (false, None) => output.write(bytes.to_vec()).await,
    }
}

/// Reads a proof's file, or standard input for `-`; never more than a proof can be long.
pub(crate) async fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    let failed = |error| CliError::Failed(format!("expected to read {path:?}, got: {error}"));
    let source: Box<dyn AsyncRead + Unpin> = match path.as_os_str() == "-" {
        true => Box::new(tokio::io::stdin()),
        false => Box::new(tokio::fs::File::open(path).await.map_err(failed)?),
    };
    let max = u64::try_from(PROOF_SIZE_MAX).expect("a proof's size fits u64");
    let mut bytes = Vec::new();
    source.take(max + 1).read_to_end(&mut bytes).await.map_err(failed)?;
    Ok(bytes)
}
