//! The command line as it is written: words, paths and numbers, not yet ids or places.

mod operands;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use peermq_storage::Kind;

pub(crate) use self::operands::*;

/// A durable message queue between peers: signed logs, sealed messages, no broker.
///
/// Every command works whether or not another one runs on the same data directory: the first one
/// becomes the node, the others use it.
#[derive(Debug, Parser)]
#[command(name = "peermq", version, arg_required_else_help = true, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// What every verb takes.
#[derive(Debug, Args)]
pub(crate) struct GlobalArgs {
    /// The node's directory: key, store, lock and socket [default: the user's data directory].
    #[arg(short, long, global = true, value_name = "DIR", env = "PEERMQ_DATADIR")]
    pub(crate) datadir: Option<PathBuf>,
    /// Print one JSON object a line.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// The store that a new data directory gets; an old one remembers its own.
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) store: Option<Kind>,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Print this node's id; the first use creates it.
    #[command(after_help = "Examples:\n  peermq id\n  peermq -d /tmp/a id --json")]
    Id,
    /// Let peers' messages in.
    #[command(after_help = ADD_PEER_EXAMPLES)]
    AddPeer(AddPeerArgs),
    /// Let no more of a peer's messages in, and cut its session before returning.
    ///
    /// What the peer sent before stays stored, and is offered like before.
    #[command(after_help = "Examples:\n  peermq remove-peer $PEER")]
    RemovePeer(RemovePeerArgs),
    /// List the peers whose messages are let in.
    #[command(after_help = "Examples:\n  peermq peers\n  peermq peers --json")]
    Peers,
    /// Send a message, or many; done when they are on this disk.
    ///
    /// The peer gets them as soon as `connect` or `listen` brings the two nodes together. Without
    /// --message, --file or --lines the message is read from standard input to its end.
    #[command(after_help = SEND_EXAMPLES)]
    Send(SendArgs),
    /// Wait for peers and print each unread message, then archive it.
    ///
    /// Messages are printed as `MESSAGE <from>@<seq> <text>`. A text may hold line feeds: who does
    /// not trust a sender reads --json.
    #[command(after_help = LISTEN_EXAMPLES)]
    Listen(ListenArgs),
    /// Stay connected to a peer, and print its acknowledgements to standard error.
    ///
    /// Lost connections are redialled for ever; Ctrl-C ends it. Acknowledgements are printed as
    /// `ACK <to>@<first>[-<last>] stored|archived|rejected`.
    #[command(after_help = CONNECT_EXAMPLES)]
    Connect(ConnectArgs),
    /// List stored messages, and change nothing.
    #[command(after_help = MESSAGES_EXAMPLES)]
    Messages(MessagesArgs),
    /// Write one message's text to standard output, whatever its size.
    ///
    /// With --json it is one object, and the text at most 16 MiB.
    #[command(after_help = SHOW_EXAMPLES)]
    Show(PlaceArgs),
    /// Mark a message as read: it is offered no more, and stays stored.
    #[command(after_help = "Examples:\n  peermq archive $PEER@0")]
    Archive(PlaceArgs),
    /// Drop a message for good.
    #[command(after_help = "Examples:\n  peermq clear $PEER@0")]
    Clear(PlaceArgs),
    /// Export a proof that a message is at its recipient, by the recipient's own signature.
    ///
    /// `peermq verify` checks it, on any machine.
    #[command(after_help = RECEIPT_EXAMPLES)]
    Receipt(ReceiptArgs),
    /// Check a proof, and say who proves what; needs no data directory.
    #[command(after_help = VERIFY_EXAMPLES)]
    Verify(VerifyArgs),
    /// List who has signed two versions of its log.
    ///
    /// Nothing more of such a log is taken in, and what came before stays readable. Later lives of
    /// the author's log are followed again once you have acknowledged it. The cause may be malice, or
    /// a data directory that was copied and used twice.
    #[command(after_help = FORKS_EXAMPLES)]
    Forks(ForksArgs),
    /// Keep this node's key under a passphrase, or no longer.
    ///
    /// Every command that starts a node then asks for it, or reads it from the file that
    /// PEERMQ_PASSPHRASE_FILE names. Without it the key is lost: nothing can bring it back.
    #[command(after_help = PASSPHRASE_EXAMPLES)]
    Passphrase(PassphraseArgs),
    /// Print what this node holds and to whom it is connected.
    #[command(after_help = "Examples:\n  peermq status\n  peermq status --json")]
    Status,
    /// Look at everything in the store, and change nothing.
    ///
    /// Each block, hash, signature, index, set and body is held against the others; what is wrong is
    /// printed with what `repair` would do about it. No node may run on the directory meanwhile.
    /// Exit status 1 tells that something was found.
    #[command(after_help = "Examples:\n  peermq check\n  peermq check --json")]
    Check,
    /// Mend what `check` finds.
    ///
    /// Damaged rows are moved to a file under `aside` in the data directory, never deleted. Indexes
    /// and counts are made again; messages of others are asked for again at the next connection, and
    /// what was archived or cleared stays so. A damaged log of this node's own is set aside as a
    /// whole, and a new one begins: what had not been delivered must be sent again. A store
    /// that does not open is set aside, too, and what can be read of it is looked at and kept; where
    /// that is not all, `peermq recover --new-epoch` begins anew, and peers send what had not been
    /// archived or cleared.
    #[command(after_help = "Examples:\n  peermq repair\n  peermq repair --json")]
    Repair,
    /// Free the space of messages that are of no more use, and print how much that is.
    ///
    /// Those are messages that their recipients have archived, cleared or rejected, and those that
    /// were cleared or rejected here. Their hashes stay, so that the logs verify. A node that runs
    /// does this by itself, some minutes later. Where no node runs, the store's files are written
    /// anew as well when they are much larger than what they hold; that takes as much space again
    /// for that time.
    #[command(after_help = "Examples:\n  peermq gc --dry-run\n  peermq gc --keep stored --json")]
    Gc(GcArgs),
    /// Write all that this node is and holds to a new file, also while the node runs.
    ///
    /// The file holds the node's secret key: whoever reads it can read and write in its name. A
    /// backup is as old as its end; restore it only when the directory itself is lost.
    #[command(after_help = "Examples:\n  peermq backup /media/usb/peermq-monday")]
    Backup(BackupArgs),
    /// Make the data directory of a backup, where nothing is yet.
    ///
    /// What the node wrote after the backup may be known to its peers and is not in it: run
    /// `peermq recover --new-epoch` before you send. No other copy of the directory may go on.
    #[command(after_help = "Examples:\n  peermq -d /srv/peermq restore /media/usb/peermq-monday")]
    Restore(BackupArgs),
    /// Bring a node back that signs nothing, because its data directory may be an older copy.
    ///
    /// `peermq status` says why. No other command may run on the directory meanwhile.
    #[command(after_help = RECOVER_EXAMPLES)]
    Recover(RecoverArgs),
    /// Run two nodes in a temporary directory and show how they talk.
    #[command(after_help = "Examples:\n  peermq demo")]
    Demo,
    /// Print a completion script for a shell.
    #[command(hide = true, after_help = COMPLETIONS_EXAMPLES)]
    Completions(CompletionsArgs),
    /// Print a manual page, or write all of them.
    #[command(hide = true, after_help = MAN_EXAMPLES)]
    Man(ManArgs),
}

const EXAMPLES: &str = "\
Examples:
  peermq -d /tmp/a id                               on the one side: its id
  peermq -d /tmp/a add-peer $B                      let B's messages in
  peermq -d /tmp/a listen                           print what arrives
  peermq -d /tmp/b send --to $A --message hello     on the other side: send
  peermq -d /tmp/b connect $A                       deliver

Exit status: 0 done, 1 failed, 2 wrong usage, 3 timed out waiting.
PEERMQ_LOG=debug shows what a node does.";

const PASSPHRASE_EXAMPLES: &str = "\
Examples:
  peermq passphrase set
  peermq passphrase set --file /run/secrets/peermq
  PEERMQ_PASSPHRASE_FILE=/run/secrets/peermq peermq listen
  peermq passphrase remove";

const ADD_PEER_EXAMPLES: &str = "\
Examples:
  peermq add-peer $PEER
  peermq add-peer $ONE $TWO --quota 64MiB,100000";

const SEND_EXAMPLES: &str = "\
Examples:
  peermq send --to $PEER --message 'hello there'
  peermq send --to $PEER --file report.pdf
  seq 100000 | peermq send --to $PEER --lines -
  peermq send --to $PEER --message 'lunch at noon?' --expires 2h
  date | peermq send --to $PEER --wait archived --timeout 30s";

const LISTEN_EXAMPLES: &str = "\
Examples:
  peermq listen
  peermq listen --addr 192.0.2.7:4000
  peermq listen --json | jq -r .text";

const CONNECT_EXAMPLES: &str = "\
Examples:
  peermq connect $PEER
  peermq connect $PEER --addr peer.example:4000";

const RECOVER_EXAMPLES: &str = "\
Examples:
  peermq recover --new-epoch      after a restored backup, or when in doubt
  peermq recover --moved          after mv to another disk";

const MESSAGES_EXAMPLES: &str = "\
Examples:
  peermq messages
  peermq messages --set archived
  peermq messages --set sent --json";

const RECEIPT_EXAMPLES: &str = "\
Examples:
  peermq receipt $PEER@0 --out delivery.proof
  peermq receipt $PEER@17 | ssh judge peermq verify -
  peermq receipt $PEER@17 --json";

const FORKS_EXAMPLES: &str = "\
Examples:
  peermq forks
  peermq forks --export $AUTHOR --out fork.proof
  peermq forks --ack $AUTHOR";

const VERIFY_EXAMPLES: &str = "\
Examples:
  peermq verify delivery.proof
  peermq verify fork.proof
  peermq verify --json - <delivery.proof";

const SHOW_EXAMPLES: &str = "\
Examples:
  peermq show $PEER@0
  peermq show $PEER@17 >film.mkv
  peermq show $PEER@0 --json | jq -r .text";

const MAN_EXAMPLES: &str = "\
Examples:
  peermq man send | man -l -
  peermq man --out /usr/local/share/man/man1";

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  peermq completions bash >~/.local/share/bash-completion/completions/peermq
  peermq completions fish >~/.config/fish/completions/peermq.fish";

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_command_has_an_example_in_its_help() {
        for command in Arguments::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("peermq"), "{}", command.get_name());
        }
    }

    #[test]
    fn a_message_may_begin_with_a_hyphen() {
        let line = ["peermq", "send", "--to", "x", "--message", "--file"];
        let arguments = Arguments::try_parse_from(line).unwrap();
        let Verb::Send(send) = arguments.verb else { panic!("another verb") };
        assert_eq!(send.message, Some("--file".into()));
    }

    #[test]
    fn a_message_has_one_source() {
        let line = ["peermq", "send", "--to", "x", "--message", "a", "--file", "b"];
        Arguments::try_parse_from(line).unwrap_err();
    }
}
