//! What each verb takes.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::quantity::{self, QuotaArg};

/// What `add-peer` takes.
#[derive(Debug, Args)]
pub(crate) struct AddPeerArgs {
    /// Ids: 64 hex digits each, as `peermq id` prints them.
    #[arg(required = true, value_name = "ID")]
    pub(crate) ids: Vec<String>,
    /// How much unread may wait here from each: SIZE[,MESSAGES] [default: 1GiB,4194304].
    #[arg(long, value_name = "SIZE", value_parser = quantity::quota)]
    pub(crate) quota: Option<QuotaArg>,
}

/// What `passphrase` takes.
#[derive(Debug, Args)]
pub(crate) struct PassphraseArgs {
    #[command(subcommand)]
    pub(crate) change: PassphraseChange,
}

/// What becomes of the passphrase.
#[derive(Debug, Subcommand)]
pub(crate) enum PassphraseChange {
    /// Set one, or another one.
    Set {
        /// Read the new passphrase from a file's first line instead of the terminal.
        #[arg(long, value_name = "PATH")]
        file: Option<PathBuf>,
    },
    /// Keep the key plain again.
    Remove,
}

/// What `remove-peer` takes.
#[derive(Debug, Args)]
pub(crate) struct RemovePeerArgs {
    /// Ids: 64 hex digits each.
    #[arg(required = true, value_name = "ID")]
    pub(crate) ids: Vec<String>,
}

/// What `send` takes.
#[derive(Debug, Args)]
pub(crate) struct SendArgs {
    /// The recipient's id.
    #[arg(long, value_name = "ID")]
    pub(crate) to: String,
    /// The message itself.
    #[arg(long, short, value_name = "TEXT", allow_hyphen_values = true, group = "source")]
    pub(crate) message: Option<OsString>,
    /// Send a file as one message of up to 1 GiB.
    #[arg(long, value_name = "PATH", group = "source")]
    pub(crate) file: Option<PathBuf>,
    /// Send each line of a file as a message; - is standard input.
    #[arg(long, value_name = "PATH", group = "source")]
    pub(crate) lines: Option<PathBuf>,
    /// How long it may be read, like 30m or 24h: then it is offered to nobody, and a day later it goes.
    #[arg(long, value_name = "TIME", value_parser = quantity::duration)]
    pub(crate) expires: Option<Duration>,
    /// Wait until the peer has it on its disk, or is done with it.
    #[arg(long, value_name = "LEVEL")]
    pub(crate) wait: Option<WaitLevel>,
    /// How long to wait, like 500ms, 30s or 5m; then exit with 3 [default: for ever].
    #[arg(long, value_name = "TIME", value_parser = quantity::duration, requires = "wait")]
    pub(crate) timeout: Option<Duration>,
}

/// What `--wait` waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum WaitLevel {
    /// It is on the peer's disk.
    Stored,
    /// The peer has archived or cleared it.
    Archived,
}

/// What `listen` takes.
#[derive(Debug, Args)]
pub(crate) struct ListenArgs {
    /// The address to bind [default: any address, the port of last time].
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) addr: Option<String>,
    /// Leave the messages unread: the next `listen` prints them again.
    #[arg(long)]
    pub(crate) no_archive: bool,
}

/// What `connect` takes.
#[derive(Debug, Args)]
pub(crate) struct ConnectArgs {
    /// The peer's id.
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// Try this address too; none is needed on one machine or one local network.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) addr: Option<String>,
}

/// What `messages` takes.
#[derive(Debug, Args)]
pub(crate) struct MessagesArgs {
    /// Which messages.
    #[arg(long, value_name = "SET", default_value = "unread")]
    pub(crate) set: SetName,
}

/// The sets that `messages` lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SetName {
    /// Received and not yet archived.
    Unread,
    /// Received and archived.
    Archived,
    /// Sent by this node.
    Sent,
}

/// What `show`, `archive` and `clear` take.
#[derive(Debug, Args)]
pub(crate) struct PlaceArgs {
    /// The message: its sender's id, @ and its number, as `listen` prints it.
    #[arg(value_name = "FROM@SEQ")]
    pub(crate) place: String,
}

/// What `receipt` takes.
#[derive(Debug, Args)]
pub(crate) struct ReceiptArgs {
    /// The message: its recipient's id, @ and its number, as `send --json` tells it.
    #[arg(value_name = "TO@SEQ")]
    pub(crate) place: String,
    /// Write the proof to a file [default: standard output].
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// What `forks` takes.
#[derive(Debug, Args)]
pub(crate) struct ForksArgs {
    /// You know of an author's forks, or of the one in one life: tell them no more, and follow its
    /// later lives.
    #[arg(long, value_name = "AUTHOR[.EPOCH]")]
    pub(crate) ack: Option<String>,
    /// Export a proof of an author's newest fork, or of the one in one life, for `peermq verify`.
    #[arg(long, value_name = "AUTHOR[.EPOCH]", conflicts_with = "ack")]
    pub(crate) export: Option<String>,
    /// Write the proof to a file [default: standard output].
    #[arg(long, value_name = "FILE", requires = "export")]
    pub(crate) out: Option<PathBuf>,
}

/// What `verify` takes.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The proof's file; - is standard input.
    #[arg(value_name = "PROOF")]
    pub(crate) proof: PathBuf,
}

/// What `gc` takes.
#[derive(Debug, Args)]
pub(crate) struct GcArgs {
    /// Free nothing, and print how much would be.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Until when to keep what was sent. With `stored` a recipient that loses its disk has lost it.
    #[arg(long, value_name = "LEVEL", default_value = "archived")]
    pub(crate) keep: KeepLevel,
}

/// Until when what was sent is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeepLevel {
    /// Until its recipient has archived, cleared or rejected it.
    Archived,
    /// Until it is on its recipient's disk.
    Stored,
}

/// What `backup` and `restore` take.
#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// The backup's file.
    #[arg(value_name = "PATH")]
    pub(crate) path: PathBuf,
}

/// What `recover` takes: one of the two ways.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct RecoverArgs {
    /// Begin a new life of this node's log: always safe. Peers follow it, and see the next messages
    /// as `<from>@<epoch>.<seq>`.
    #[arg(long)]
    pub(crate) new_epoch: bool,
    /// Go on as before: the directory was moved, and no other copy of it was used since.
    #[arg(long)]
    pub(crate) moved: bool,
}

/// What `completions` takes.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    pub(crate) shell: Shell,
}

/// What `man` takes.
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// The command whose page is printed [default: peermq itself].
    #[arg(value_name = "COMMAND", conflicts_with = "out")]
    pub(crate) command: Vec<String>,
    /// Write the page of every command to a folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}
