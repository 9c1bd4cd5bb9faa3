//! `listen`: let peers in, print what they send, and archive what was printed.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use peermq::gateway::schema::{
    Content, Direction, Group, Message, PlaceRange, Places, Run, StreamMode, StreamSet,
};
use peermq::gateway::{Client, ClientError};
use peermq::types::{Epoch, Id, Ranges, Seq};
use tokio::net::lookup_host;
use tokio::sync::mpsc;

use crate::args::ListenArgs;
use crate::context::{Context, Stop};
use crate::error::CliError;
use crate::notices;
use crate::output::{Lines, Output, PlaceText, remark};
use crate::progress::Progress;

pub(super) async fn run(context: &Context, args: ListenArgs) -> Result<(), CliError> {
    let address = resolve(args.addr).await?;
    let after = if args.no_archive { AfterPrinting::Leave } else { AfterPrinting::Archive };
    context
        .with_client_until(async |client, stop| {
            let (long, fetched) = mpsc::channel(LONG_COUNT_MAX);
            let progress = catch_up(client, context.output).await?;
            let seen = BTreeMap::new();
            let printer = Printer { output: context.output, after, progress, seen, long };
            tokio::try_join!(
                announce(client, address),
                printer.run(client, stop),
                archive_long(client, fetched),
                notices::tell(client, context.output),
            )?;
            Ok(())
        })
        .await
}

/// The first address that `HOST:PORT` stands for.
async fn resolve(address: Option<String>) -> Result<Option<SocketAddr>, CliError> {
    let Some(text) = address else { return Ok(None) };
    let expected = |got: &str| {
        CliError::Failed(format!("expected an address as HOST:PORT, got {text:?}: {got}"))
    };
    let mut found = lookup_host(&text).await.map_err(|error| expected(&error.to_string()))?;
    found.next().map(Some).ok_or_else(|| expected("the host has no address"))
}

/// What becomes of a message that was printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AfterPrinting {
    Archive,
    Leave,
}

/// Progress of what waits, unless the messages themselves show it.
async fn catch_up(client: &Client, output: Output) -> Result<Option<Progress>, CliError> {
    if output.is_terminal() {
        return Ok(None);
    }
    let unread = async || {
        let status = client.status().await?;
        Ok(status.peers.iter().map(|peer| peer.unread).sum())
    };
    Progress::catch_up(unread).await
}

/// Says where the node listens, and again only when that has changed.
async fn announce(client: &Client, address: Option<SocketAddr>) -> Result<(), CliError> {
    let mut listening = client.listen(address);
    let mut last = None;
    while let Some(bound) = listening.next().await? {
        if let Some(address) = bound.address
            && last != bound.address
        {
            remark(&format!("listening on {address}"));
        }
        last = bound.address;
    }
    Ok(())
}

/// Prints what is offered.
struct Printer {
    output: Output,
    after: AfterPrinting,
    progress: Option<Progress>,
    /// What was printed and is still unread: when the node changes it is offered once more.
    seen: BTreeMap<(Id, Epoch), Ranges>,
    /// Messages whose text is still to be fetched before they are archived.
    long: mpsc::Sender<PlaceRange>,
}

impl Printer {
    /// Ends only between two groups: what was printed is archived.
    async fn run(mut self, client: &Client, stop: &mut Stop) -> Result<(), CliError> {
        let mut groups = client.stream(StreamSet::Unread, StreamMode::Live);
        loop {
            let group = tokio::select! {
                group = groups.next() => group?,
                early = stop.wait() => return Err(early),
            };
            let Some(group) = group else { return Ok(()) };
            let mut lines = Lines::new(self.output);
            let done = self.print(&group, &mut lines);
            self.output.write(lines.bytes).await?;
            self.on_printed(&group);
            if !done.archive.is_empty() {
                client.archive(&Places { places: done.archive }).await?;
            }
            for place in done.fetch {
                tokio::select! {
                    // Who fetches ends with this, and not before.
                    _ = self.long.send(place) => {}
                    early = stop.wait() => return Err(early),
                }
            }
        }
    }

    fn on_printed(&mut self, group: &Group) {
        let count: usize = group.runs.iter().map(|run| run.messages.len()).sum();
        self.progress.take_if(|progress| {
            progress.add(u64::try_from(count).expect("a group fits in memory"));
            progress.is_done()
        });
    }

    /// Appends the lines of a group, and tells what is to be done once they are out.
    fn print(&mut self, group: &Group, lines: &mut Lines) -> Printed {
        let mut printed = Printed::default();
        for run in &group.runs {
            let Direction::From(from) = run.peer else { continue };
            for message in &run.messages {
                let fate = self.fate(message);
                if fate != Fate::Archive && !self.is_new(from, run.epoch, message.seq) {
                    continue;
                }
                self.print_one(run, message, lines);
                let place = place(from, run.epoch, message.seq);
                match fate {
                    Fate::Archive => printed.archive(place),
                    Fate::FetchThenArchive => printed.fetch.push(place),
                    Fate::Leave => {}
                }
            }
        }
        printed
    }

    fn print_one(&self, run: &Run<Message>, message: &Message, lines: &mut Lines) {
        if matches!(message.content, Content::Unsupported(_)) {
            let place = PlaceText { run, seq: message.seq };
            remark(&format!(
                "peermq: expected a message of this version, got a later one as {place}: it stays \
                 unread for the version that can read it"
            ));
        } else {
            lines.push_message(run, message);
        }
    }

    const fn fate(&self, message: &Message) -> Fate {
        match (self.after, &message.content) {
            (AfterPrinting::Leave, _) | (_, Content::Unsupported(_)) => Fate::Leave,
            (AfterPrinting::Archive, Content::Size(_)) => Fate::FetchThenArchive,
            (AfterPrinting::Archive, Content::Text(_) | Content::Base64(_)) => Fate::Archive,
        }
    }

    fn is_new(&mut self, from: Id, epoch: Epoch, seq: Seq) -> bool {
        let seen = self.seen.entry((from, epoch)).or_default();
        let is_new = !seen.contains(seq.0);
        seen.insert(seq.0..seq.0.saturating_add(1));
        is_new
    }
}

/// What is to be done with a message once it is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Archive,
    FetchThenArchive,
    Leave,
}

/// What is to be done once a group's lines are out.
#[derive(Debug, Default)]
struct Printed {
    archive: Vec<PlaceRange>,
    fetch: Vec<PlaceRange>,
}

impl Printed {
    /// Adds a message to those that are archived, in one range with its neighbours.
    fn archive(&mut self, place: PlaceRange) {
        match self.archive.last_mut() {
            Some(last)
                if (last.from, last.epoch) == (place.from, place.epoch)
                    && last.last.0.checked_add(1) == Some(place.first.0) =>
            {
                last.last = place.last;
            }
            _ => self.archive.push(place),
        }
    }
}

/// Fetches long texts, each to its end, so that they are on this disk, and archives them. Apart
/// from the printing, since a sender may be away for days.
async fn archive_long(
    client: &Client,
    mut long: mpsc::Receiver<PlaceRange>,
) -> Result<(), CliError> {
    while let Some(place) = long.recv().await {
        let mut text = client.text(place.from, place.epoch, place.first);
        loop {
            match text.next().await {
                Ok(Some(_)) => {}
                Ok(None) => {
                    client.archive(&Places { places: vec![place] }).await?;
                    break;
                }
                Err(ClientError::Refused { problem, .. }) => {
                    remark(&format!("peermq: {problem}: the message stays unread"));
                    break;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

const fn place(from: Id, epoch: Epoch, seq: Seq) -> PlaceRange {
    PlaceRange { from, epoch: Some(epoch), first: seq, last: seq }
}

/// Long messages that wait to be fetched; past it printing waits.
const LONG_COUNT_MAX: usize = 1_024;
