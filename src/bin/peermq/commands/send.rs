//! `send`: one message or one a line; done when they are on this disk.

use std::cell::Cell;
use std::time::Duration;

use peermq::gateway::Client;
use peermq::gateway::schema::{Level, Sent, SentRange};
use peermq::types::{Id, Seq, UnixMs};
use tokio::io::AsyncRead;

use crate::args::{SendArgs, WaitLevel};
use crate::context::Context;
use crate::error::CliError;
use crate::output::Lines;
use crate::place;
use crate::progress::Progress;
use crate::source::{Source, Text};
use crate::time;

pub(super) async fn run(context: &Context, args: SendArgs) -> Result<(), CliError> {
    let to = place::id(&args.to)?;
    let wait = args.wait.map(|level| Wait { level, timeout: args.timeout });
    let expires = args.expires.map(time::after);
    let source = Source::open(args).await?;
    let (key, so_far) = (random_key()?, Cell::new(SoFar::Nothing));
    let sending = Sending { context, to, key, expires, so_far };
    let done = context
        .with_client(async |client| {
            let sent = sending.send(client, source).await?;
            match wait {
                Some(wait) => wait.for_all(client, to, &sent).await,
                None => Ok(()),
            }
        })
        .await;
    done.map_err(|error| sending.explain(error))
}

/// One run of `send`.
struct Sending<'a> {
    context: &'a Context,
    to: Id,
    /// Makes a repeat of what was cut off the same message.
    key: String,
    expires: Option<UnixMs>,
    so_far: Cell<SoFar>,
}

/// What is durable, for whoever reads an error.
#[derive(Debug, Clone, Copy)]
enum SoFar {
    Nothing,
    Lines(u64),
    All,
}

impl Sending<'_> {
    async fn send(&self, client: &Client, source: Source) -> Result<Vec<SentRange>, CliError> {
        match source {
            Source::Text(text) => self.send_text(client, text).await,
            Source::Lines(input) => self.send_lines(client, input).await,
        }
    }

    async fn send_text(&self, client: &Client, mut text: Text) -> Result<Vec<SentRange>, CliError> {
        let progress = Progress::bytes(text.size());
        let sent = client.send(self.to, &self.key, self.expires, || text.body(&progress)).await?;
        // Before it is told: who has read its place and ends this is not to hear of nothing.
        self.so_far.set(SoFar::All);
        let place = SentRange { epoch: sent.epoch, first: sent.seq, last: sent.seq };
        self.print(&[place]).await?;
        Ok(vec![place])
    }

    async fn send_lines(
        &self,
        client: &Client,
        input: Box<dyn AsyncRead + Unpin>,
    ) -> Result<Vec<SentRange>, CliError> {
        let progress = Progress::messages(None);
        let mut lines = client.send_lines(self.to, self.key.clone(), self.expires, input);
        self.so_far.set(SoFar::Lines(0));
        let mut sent: Vec<SentRange> = Vec::new();
        while let Some(places) = lines.next().await? {
            self.so_far.set(SoFar::Lines(lines.durable_count()));
            progress.set(lines.durable_count());
            self.print(&places).await?;
            for place in places {
                extend(&mut sent, place);
            }
        }
        self.so_far.set(SoFar::All);
        Ok(sent)
    }

    async fn print(&self, places: &[SentRange]) -> Result<(), CliError> {
        let output = self.context.output;
        if !output.is_json() {
            return Ok(());
        }
        let mut lines = Lines::new(output);
        for SentRange { epoch, first, last } in places {
            for seq in first.0..=last.0 {
                lines.push_json(&Sent { to: self.to, epoch: *epoch, seq: Seq(seq) });
            }
        }
        output.write(lines.bytes).await
    }

    /// Says how much of what was asked is done: status 0 would say all.
    fn explain(&self, error: CliError) -> CliError {
        let error = match error {
            // Run again it would be sent again.
            CliError::Unfinished => CliError::Interrupted,
            other => other,
        };
        let durable = match (self.so_far.get(), &error) {
            (SoFar::All, CliError::Interrupted) => "everything".to_owned(),
            (SoFar::All, _) => return error,
            (SoFar::Nothing, CliError::Failed(_)) => return error,
            (SoFar::Nothing, _) => "nothing".to_owned(),
            (SoFar::Lines(1), _) => "1 line".to_owned(),
            (SoFar::Lines(count), _) => format!("{count} lines"),
        };
        match error {
            CliError::OutputClosed => error,
            error => CliError::Failed(format!("{error}; durable before that: {durable}")),
        }
    }
}

/// What to wait for, and how long.
#[derive(Debug, Clone, Copy)]
struct Wait {
    level: WaitLevel,
    timeout: Option<Duration>,
}

impl Wait {
    /// Stays connected until the peer has acknowledged everything.
    async fn for_all(self, client: &Client, to: Id, sent: &[SentRange]) -> Result<(), CliError> {
        let (level, word) = match self.level {
            WaitLevel::Stored => (Level::Stored, "stored"),
            WaitLevel::Archived => (Level::Archived, "archived"),
        };
        let acknowledged = async {
            for range in sent {
                client.wait(to, *range, level).await?;
            }
            Ok(())
        };
        let connected = async {
            let mut acks = client.connect(to, None);
            while acks.next().await?.is_some() {}
            std::future::pending().await
        };
        let reached = async {
            tokio::select! {
                acknowledged = acknowledged => acknowledged,
                failed = connected => failed,
            }
        };
        let Some(timeout) = self.timeout else { return reached.await };
        tokio::time::timeout(timeout, reached).await.unwrap_or_else(|_| {
            Err(CliError::TimedOut(format!(
                "expected {to} to have {word} what was sent within {timeout:?}, got no word of it: \
                 it is on this disk, and goes out when the two are connected"
            )))
        })
    }
}

/// Appends a range, joined with its neighbour.
fn extend(ranges: &mut Vec<SentRange>, next: SentRange) {
    match ranges.last_mut() {
        Some(last)
            if last.epoch == next.epoch && last.last.0.checked_add(1) == Some(next.first.0) =>
        {
            last.last = next.last;
        }
        _ => ranges.push(next),
    }
}

/// 128 bits that nobody else draws, as hex digits.
fn random_key() -> Result<String, CliError> {
    let mut key = [0; 16];
    getrandom::fill(&mut key)
        .map_err(|error| CliError::Failed(format!("expected random bytes, got: {error}")))?;
    Ok(hex::encode(key))
}
