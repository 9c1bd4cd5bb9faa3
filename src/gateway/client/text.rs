//! One message's text, in pieces.

use axum::body::BodyDataStream;
use bytes::{Buf, Bytes};
use futures::StreamExt;

use super::{Client, request};
use crate::gateway::error::ClientError;
use crate::gateway::socket::Cut;
use crate::types::{Epoch, Id, Seq};

/// Reads one message's text; goes on where it was when the node changes.
#[derive(Debug)]
#[must_use = "nothing is asked before `next`"]
pub struct TextReader<'a> {
    client: &'a Client,
    path: String,
    body: Option<(BodyDataStream, u64)>,
    /// Bytes that were given out.
    given: u64,
    /// Bytes that are yet to be passed over.
    skip: u64,
}

impl<'a> TextReader<'a> {
    pub(super) fn new(client: &'a Client, from: Id, epoch: Option<Epoch>, seq: Seq) -> Self {
        let epoch = epoch.map(|epoch| format!("?epoch={epoch}")).unwrap_or_default();
        let path = format!("/v1/messages/{from}/{seq}{epoch}");
        Self { client, path, body: None, given: 0, skip: 0 }
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// As of [`Client::info`].
    pub async fn next(&mut self) -> Result<Option<Bytes>, ClientError> {
        loop {
            let Some((body, turn)) = &mut self.body else {
                let answer = self.client.try_answer(request::get(&self.path)).await?;
                self.skip = self.given;
                self.body = answer.map(|it| (it.response.into_body().into_data_stream(), it.turn));
                continue;
            };
            match body.next().await {
                Some(Ok(bytes)) => {
                    if let Some(piece) = self.unseen(bytes) {
                        return Ok(Some(piece));
                    }
                }
                Some(Err(error)) => {
                    let turn = *turn;
                    self.body = None;
                    self.client.on_cut(turn, &Cut::new(&error)).await;
                }
                None => return Ok(None),
            }
        }
    }

    /// What of a piece was not given out before.
    fn unseen(&mut self, mut piece: Bytes) -> Option<Bytes> {
        let size = u64::try_from(piece.len()).expect("a piece fits in memory");
        let skipped = self.skip.min(size);
        self.skip -= skipped;
        piece.advance(usize::try_from(skipped).expect("no more than the piece"));
        self.given += size - skipped;
        (!piece.is_empty()).then_some(piece)
    }
}
