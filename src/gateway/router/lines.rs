//! Many short messages in one request: one a line, made durable in groups.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, BodyDataStream};
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use bytes::{Buf, Bytes, BytesMut};
use futures::stream::{self, StreamExt, TryStreamExt};
use serde::Deserialize;
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::Api;
use super::error::ApiError;
use super::extract::{IdempotencyKey, Query};
use super::live;
use crate::gateway::events;
use crate::gateway::schema::{Durable, IdText};
use crate::limits::{
    BODY_CHUNK_TEXT_SIZE, ENVELOPE_HEAD_SIZE_MAX, LINE_BATCH_COUNT_MAX, LINE_BATCH_FLIGHT_MAX,
    LINE_BATCH_SIZE_MAX, LINE_SIZE_MAX,
};
use crate::node::{Node, SendOptions};
use crate::types::{Id, UnixMs};

pub(super) fn routes() -> Router<Api> {
    Router::new().route("/v1/lines", post(send))
}

/// To whom, from when on nobody should read it, and the number of the first line: a request that goes
/// on after another one was cut off does not begin at 0.
#[derive(Debug, Deserialize)]
struct Target {
    to: IdText,
    #[serde(default)]
    line: u64,
    expires: Option<UnixMs>,
}

async fn send(
    State(api): State<Api>,
    Query(Target { to: IdText(to), line, expires }): Query<Target>,
    IdempotencyKey(key): IdempotencyKey,
    body: Body,
) -> Response {
    let batches = stream::try_unfold(Lines::new(body, line), async |mut lines| {
        let batch = lines.next_batch().await?;
        Ok(batch.map(|batch| (batch, lines)))
    });
    let sender = Arc::new(Sender { node: api.node, to, key, expires, turn: RwLock::default() });
    let durable = batches
        .map_ok(move |batch| Arc::clone(&sender).send(batch))
        .try_buffered(LINE_BATCH_FLIGHT_MAX)
        .map_ok(|durable| live::event(events::DURABLE, &durable));
    live::answer(durable, api.stop)
}

/// Sends batches, of which several are on their way at once.
struct Sender {
    node: Node,
    to: Id,
    key: Option<Bytes>,
    expires: Option<UnixMs>,
    /// Batches that take one step to send take it in the order in which they are begun. A long line
    /// takes several, and nothing may go between them: it has the turn for itself.
    turn: RwLock<()>,
}

impl Sender {
    async fn send(self: Arc<Self>, batch: Batch) -> Result<Durable, ApiError> {
        let turn = match batch.has_long_line() {
            true => Turn::Alone(self.turn.write().await),
            false => Turn::Shared(self.turn.read().await),
        };
        let numbered = (batch.line..).zip(batch.texts);
        let texts = numbered.map(|(line, text)| {
            let idempotency_key = self.key.as_deref().map(|key| line_key(key, line));
            (text, SendOptions { idempotency_key, expires: self.expires, ..SendOptions::default() })
        });
        let sent = self.node.send_all(self.to, texts).await?;
        drop(turn);
        Ok(Durable::new(batch.line, &sent))
    }
}

/// A batch's turn, until it is durable.
enum Turn<'a> {
    Shared(#[expect(dead_code, reason = "it is held")] RwLockReadGuard<'a, ()>),
    Alone(#[expect(dead_code, reason = "it is held")] RwLockWriteGuard<'a, ()>),
}

/// The idempotency key of one line: the request's key and the line's number.
fn line_key(key: &[u8], line: u64) -> Bytes {
    [key, b"/", line.to_string().as_bytes()].concat().into()
}

/// A request's body, cut into lines.
struct Lines {
    body: BodyDataStream,
    /// What has been read and not yet given out.
    rest: BytesMut,
    /// How much of `rest` holds no line feed.
    searched: usize,
    /// The number of the next line.
    line: u64,
    is_ended: bool,
}

/// Lines that become durable together.
struct Batch {
    line: u64,
    texts: Vec<Bytes>,
}

impl Batch {
    fn has_long_line(&self) -> bool {
        self.texts.iter().any(|text| text.len() > ONE_STEP_SIZE_MAX)
    }
}

impl Lines {
    fn new(body: Body, line: u64) -> Self {
        let body = body.into_data_stream();
        Self { body, rest: BytesMut::new(), searched: 0, line, is_ended: false }
    }

    /// The next batch: what is at hand, up to the size of a batch, and at least one line.
    async fn next_batch(&mut self) -> Result<Option<Batch>, ApiError> {
        let mut batch = Batch { line: self.line, texts: Vec::new() };
        let mut size = 0;
        while batch.texts.len() < LINE_BATCH_COUNT_MAX && size < LINE_BATCH_SIZE_MAX {
            if let Some(text) = self.next_line() {
                size += text.len();
                batch.texts.push(text);
            } else if !batch.texts.is_empty() || (self.is_ended && self.rest.is_empty()) {
                break;
            } else {
                self.read().await?;
            }
        }
        self.line = self.line.saturating_add(u64::try_from(batch.texts.len()).unwrap_or(u64::MAX));
        Ok((!batch.texts.is_empty()).then_some(batch))
    }

    /// A whole line that is at hand and within the bound, without its end (LF or CRLF); at the body's
    /// end also one that was not ended.
    fn next_line(&mut self) -> Option<Bytes> {
        let unsearched = self.rest.get(self.searched..).unwrap_or_default();
        if let Some(position) = unsearched.iter().position(|byte| *byte == b'\n') {
            let len = self.searched + position;
            if len > LINE_SIZE_MAX {
                return None;
            }
            let mut line = self.rest.split_to(len);
            self.rest.advance(1);
            self.searched = 0;
            if line.last() == Some(&b'\r') {
                line.truncate(line.len() - 1);
            }
            return Some(line.freeze());
        }
        self.searched = self.rest.len();
        let is_last = self.is_ended && (1..=LINE_SIZE_MAX).contains(&self.rest.len());
        is_last.then(|| {
            self.searched = 0;
            self.rest.split().freeze()
        })
    }

    async fn read(&mut self) -> Result<(), ApiError> {
        if self.rest.len() > LINE_SIZE_MAX {
            return Err(ApiError::bad_request(format!(
                "expected lines of at most {LINE_SIZE_MAX} bytes, got a longer one as line {}: send \
                 it as a file",
                self.line.saturating_add(1)
            )));
        }
        match self.body.next().await {
            Some(Ok(bytes)) => self.rest.extend_from_slice(&bytes),
            Some(Err(error)) => {
                return Err(ApiError::bad_request(format!("expected lines, got: {error}")));
            }
            None => self.is_ended = true,
        }
        Ok(())
    }
}

/// Bytes of a line that surely fits one sealed chunk, whatever is sealed beside it.
const ONE_STEP_SIZE_MAX: usize = BODY_CHUNK_TEXT_SIZE - ENVELOPE_HEAD_SIZE_MAX;

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    async fn lines(chunks: &[&'static str]) -> Vec<String> {
        let chunks: Vec<io::Result<&str>> = chunks.iter().map(|chunk| Ok(*chunk)).collect();
        let mut lines = Lines::new(Body::from_stream(stream::iter(chunks)), 0);
        let mut all = Vec::new();
        while let Some(batch) = lines.next_batch().await.unwrap() {
            assert_eq!(batch.line, u64::try_from(all.len()).unwrap());
            all.extend(batch.texts.iter().map(|text| String::from_utf8(text.to_vec()).unwrap()));
        }
        all
    }

    #[tokio::test]
    async fn line_ends_are_cut_and_empty_lines_are_messages() {
        assert_eq!(lines(&[]).await, [""; 0]);
        assert_eq!(lines(&["\n"]).await, [""]);
        assert_eq!(lines(&["a\nb"]).await, ["a", "b"]);
        assert_eq!(lines(&["a\r\n\r\nb\r"]).await, ["a", "", "b\r"]);
        assert_eq!(lines(&["a", "b\r", "\nc", "\n"]).await, ["ab", "c"]);
    }

    #[tokio::test]
    async fn a_line_over_the_bound_is_refused_after_those_before_it() {
        let longest = "x".repeat(LINE_SIZE_MAX);
        for (end, is_refused) in [("", false), ("\nlast\n", false), ("x", true), ("x\nlast", true)]
        {
            let mut lines = Lines::new(Body::from(format!("first\n{longest}{end}")), 0);
            assert_eq!(lines.next_batch().await.unwrap().unwrap().texts[0], "first");
            let next = lines.next_batch().await;
            assert_eq!(next.is_err(), is_refused, "{end:?}");
        }
    }

    #[tokio::test]
    async fn a_batch_is_what_is_at_hand_and_has_a_bound() {
        let chunks = [Ok("a\nb\nc"), Err(io::Error::other("cut off"))];
        let mut lines = Lines::new(Body::from_stream(stream::iter(chunks)), 7);
        let batch = lines.next_batch().await.unwrap().unwrap();
        assert_eq!((batch.line, batch.texts.len()), (7, 2));
        assert!(lines.next_batch().await.is_err(), "an unended line of a body cut off is dropped");
        let many = "x\n".repeat(LINE_BATCH_COUNT_MAX + 1);
        let mut lines = Lines::new(Body::from(many), 0);
        let batch = lines.next_batch().await.unwrap().unwrap();
        assert_eq!(batch.texts.len(), LINE_BATCH_COUNT_MAX);
    }
}
