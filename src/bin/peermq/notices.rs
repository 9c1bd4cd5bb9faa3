//! What the node notices and the user has to know: lines on standard error.

use std::collections::VecDeque;

use peermq::gateway::schema::{Fork, Notice};
use peermq::gateway::{Client, Live};

use crate::error::CliError;
use crate::output::{Output, remark};

/// Tells what there is to tell for as long as the node does.
pub(crate) async fn tell(client: &Client, output: Output) -> Result<(), CliError> {
    let mut notices = Notices::new(client, output);
    while let Some(line) = notices.next().await {
        remark(&line?);
    }
    Ok(())
}

/// Lines to be told, each once, though the node changes; of a disk that fills up again and again,
/// each time.
#[derive(Debug)]
pub(crate) struct Notices<'a> {
    live: Live<'a, Notice>,
    output: Output,
    told: VecDeque<Notice>,
}

impl<'a> Notices<'a> {
    pub(crate) fn new(client: &'a Client, output: Output) -> Self {
        Self { live: client.notices(), output, told: VecDeque::new() }
    }

    /// The next line; `None` when the node has nothing more to say.
    pub(crate) async fn next(&mut self) -> Option<Result<String, CliError>> {
        loop {
            let notice = match self.live.next().await.transpose()? {
                Ok(notice) => notice,
                Err(error) => return Some(Err(error.into())),
            };
            if !self.told.contains(&notice) {
                let line = line(self.output, &notice);
                self.note(notice);
                return Some(Ok(line));
            }
        }
    }

    fn note(&mut self, notice: Notice) {
        if matches!(notice, Notice::DiskFull { .. }) {
            return;
        }
        if self.told.len() == TOLD_COUNT_MAX {
            self.told.pop_front();
        }
        self.told.push_back(notice);
    }
}

/// Notices that are remembered as told: more than a node keeps for who is slow to listen.
const TOLD_COUNT_MAX: usize = 1_024;

/// A notice in words, or as JSON.
fn line(output: Output, notice: &Notice) -> String {
    if output.is_json() {
        return serde_json::to_string(notice).expect("what is printed is JSON");
    }
    match notice {
        Notice::Stale { reason } => format!("peermq: nothing is sent from here: {reason}"),
        Notice::DiskFull { reason } => format!("peermq: nothing new is taken in: {reason}"),
        Notice::Fork(Fork { author, epoch, first, second, .. }) => format!(
            "peermq: {author} has signed two versions of its log {epoch}, at {} and {} entries: it is \
             read no further, what came stays; see peermq forks",
            first.length, second.length
        ),
        Notice::GivenUp { epoch, length } => format!(
            "peermq: the ended life {epoch} of this node's log was signed in two versions, which differ \
             at {length} entries: what it had still to deliver stays here; send it again"
        ),
        Notice::Reborn { author, epoch } => format!(
            "peermq: {author} has begun a new life of its log: its next messages are \
             {author}@{epoch}.<seq>"
        ),
        Notice::Unproven { author, epoch, length } => format!(
            "peermq: expected {author} to lead to entry {length} of its log {epoch}, which it has \
             signed for somebody else, got nothing: it may have two versions of it"
        ),
    }
}
