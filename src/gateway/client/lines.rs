//! Many lines sent over one request, which is taken up again where it was cut off.

use std::collections::VecDeque;
use std::future;
use std::io;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures::stream;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::mpsc;

use super::live::{Events, unexpected};
use super::{Client, Cut, parse, request};
use crate::gateway::error::ClientError;
use crate::gateway::events;
use crate::gateway::schema::{Durable, SentRange};
use crate::limits::{LINE_BLOCK_COUNT_MAX, LINE_BLOCK_SIZE, LINE_SIZE_MAX};
use crate::types::{Id, Seq, UnixMs};

/// Lines on their way: each is one message.
#[derive(Debug)]
#[must_use = "nothing is sent before `next`"]
pub struct LinesSent<'a, R> {
    client: &'a Client,
    to: Id,
    key: String,
    expires: Option<UnixMs>,
    input: BlockReader<R>,
    /// Blocks of which not all lines are known to be durable, in order.
    unconfirmed: VecDeque<Block>,
    /// How many of them this request has been given.
    fed: usize,
    /// The number of the first line that has not been read.
    next_line: u64,
    durable_count: u64,
    request: Option<Feed>,
}

/// Whole lines, numbered from `start` to before `end`; the last one may lack its line feed.
#[derive(Debug)]
struct Block {
    start: u64,
    end: u64,
    text: Bytes,
}

/// A request that is being fed.
#[derive(Debug)]
struct Feed {
    events: Events,
    /// Gone when there is nothing more to feed.
    body: Option<mpsc::Sender<Bytes>>,
}

impl Client {
    /// Sends each line of `input` as a message, in order. `key` (at most 40 hex digits) makes a
    /// line that is sent again, because an answer was cut off, the same message. From `expires` on
    /// they are offered to nobody.
    pub fn send_lines<R: AsyncRead + Unpin>(
        &self,
        to: Id,
        key: String,
        expires: Option<UnixMs>,
        input: R,
    ) -> LinesSent<'_, R> {
        LinesSent {
            client: self,
            to,
            key,
            expires,
            input: BlockReader { input, rest: BytesMut::new(), searched: 0, is_ended: false },
            unconfirmed: VecDeque::new(),
            fed: 0,
            next_line: 0,
            durable_count: 0,
            request: None,
        }
    }
}

/// What can go on next.
enum Step {
    Event(Result<Option<events::Event>, Cut>),
    Read(io::Result<Option<Bytes>>),
    Fed,
}

impl<R: AsyncRead + Unpin> LinesSent<'_, R> {
    /// How many lines are durable: all before this one.
    #[must_use]
    pub const fn durable_count(&self) -> u64 {
        self.durable_count
    }

    /// Where the next lines stand, once they are durable; `None` when all are.
    ///
    /// # Errors
    /// As of [`Client::info`], and [`ClientError::Input`]; [`Self::durable_count`] tells how far it
    /// came.
    pub async fn next(&mut self) -> Result<Option<Vec<SentRange>>, ClientError> {
        loop {
            let Some(feed) = &mut self.request else {
                self.request = self.begin().await?;
                continue;
            };
            match step(feed, &mut self.input, &self.unconfirmed, self.fed).await {
                Step::Event(Ok(Some(event))) if event.name == events::DURABLE => {
                    let places = self.on_durable(parse(&event.data)?);
                    if !places.is_empty() {
                        return Ok(Some(places));
                    }
                }
                Step::Event(Ok(Some(event))) => return Err(unexpected(&event)),
                Step::Event(Ok(None)) => return Ok(None),
                Step::Event(Err(cut)) => {
                    let turn = feed.events.turn;
                    self.request = None;
                    self.client.on_cut(turn, &cut).await;
                }
                Step::Read(block) => self.on_block(block.map_err(ClientError::Input)?),
                Step::Fed => self.fed += 1,
            }
        }
    }

    /// Begins a request at the first line that may not be durable.
    async fn begin(&mut self) -> Result<Option<Feed>, ClientError> {
        let line = self.unconfirmed.front().map_or(self.next_line, |block| block.start);
        let until = request::until(self.expires);
        let path = format!("/v1/lines?to={}&line={line}{until}", self.to);
        let (body, blocks) = mpsc::channel(1);
        let blocks = stream::unfold(blocks, async |mut blocks| {
            let block = blocks.recv().await?;
            Some((Ok::<Bytes, io::Error>(block), blocks))
        });
        let request = request::post_once(&path, &self.key, Body::from_stream(blocks));
        self.fed = 0;
        let events = self.client.try_events(request).await?;
        Ok(events.map(|events| Feed { events, body: Some(body) }))
    }

    fn on_block(&mut self, text: Option<Bytes>) {
        let Some(text) = text else { return };
        let line_feeds = text.iter().filter(|byte| **byte == b'\n').count();
        let unended = usize::from(text.last() != Some(&b'\n'));
        let start = self.next_line;
        self.next_line += u64::try_from(line_feeds + unended).expect("a block fits in memory");
        self.unconfirmed.push_back(Block { start, end: self.next_line, text });
    }

    /// Takes note of durable lines, and gives the places of those that were not known to be.
    fn on_durable(&mut self, durable: Durable) -> Vec<SentRange> {
        let known = self.durable_count.saturating_sub(durable.line);
        let (count, places) = after(durable.places, known);
        self.durable_count += count;
        while self.unconfirmed.pop_front_if(|block| block.end <= self.durable_count).is_some() {
            self.fed = self.fed.saturating_sub(1);
        }
        places
    }
}

async fn step<R: AsyncRead + Unpin>(
    feed: &mut Feed,
    input: &mut BlockReader<R>,
    unconfirmed: &VecDeque<Block>,
    fed: usize,
) -> Step {
    let next = unconfirmed.get(fed);
    if next.is_none() && input.is_ended {
        feed.body = None;
    }
    let has_room = unconfirmed.len() < LINE_BLOCK_COUNT_MAX;
    tokio::select! {
        event = feed.events.next() => Step::Event(event),
        () = hand_over(feed.body.as_ref(), next), if next.is_some() => Step::Fed,
        block = input.next(), if next.is_none() && has_room && !input.is_ended => Step::Read(block),
    }
}

async fn hand_over(body: Option<&mpsc::Sender<Bytes>>, block: Option<&Block>) {
    if let (Some(body), Some(block)) = (body, block)
        && let Ok(room) = body.reserve().await
    {
        room.send(block.text.clone());
    } else {
        // Nobody takes it any more; the events tell why.
        future::pending().await
    }
}

/// The places after the first `known`, and how many they are.
fn after(places: Vec<SentRange>, mut known: u64) -> (u64, Vec<SentRange>) {
    let mut count = 0;
    let mut rest = Vec::with_capacity(places.len());
    for SentRange { epoch, first, last } in places {
        let length = (last.0 + 1).saturating_sub(first.0);
        let skipped = known.min(length);
        known -= skipped;
        if skipped < length {
            count += length - skipped;
            rest.push(SentRange { epoch, first: Seq(first.0 + skipped), last });
        }
    }
    (count, rest)
}

/// Cuts an input into blocks of whole lines.
#[derive(Debug)]
struct BlockReader<R> {
    input: R,
    rest: BytesMut,
    /// How much of `rest` holds no line feed.
    searched: usize,
    is_ended: bool,
}

impl<R: AsyncRead + Unpin> BlockReader<R> {
    /// All whole lines that are at hand; at the end also one that was not ended, or `None`. What
    /// passes the bound on a line is the last that is read: the node refuses it. Safe to drop while
    /// it waits.
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            let unsearched = self.rest.get(self.searched..).unwrap_or_default();
            if let Some(position) = unsearched.iter().rposition(|byte| *byte == b'\n') {
                let block = self.rest.split_to(self.searched + position + 1);
                self.searched = 0;
                return Ok(Some(block.freeze()));
            }
            self.searched = self.rest.len();
            self.rest.reserve(LINE_BLOCK_SIZE);
            let is_too_long = self.rest.len() > LINE_SIZE_MAX;
            if is_too_long || self.input.read_buf(&mut self.rest).await? == 0 {
                self.is_ended = true;
                return Ok((!self.rest.is_empty()).then(|| self.rest.split().freeze()));
            }
        }
    }
}
