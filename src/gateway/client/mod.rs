//! The one client of the local API.

mod forks;
mod lines;
mod live;
pub(super) mod request;
mod text;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use bytes::Bytes;
use futures::StreamExt;
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;

pub use self::lines::LinesSent;
pub use self::live::Live;
pub use self::text::TextReader;
use super::access::{Access, Opening};
use super::error::ClientError;
use super::events;
use super::schema::{
    Ack, Group, Keep, Level, ListSet, Listening, NewPeers, NodeInfo, Page, Peer, Places, Problem,
    Reclaimed, Sent, SentRange, Status, StreamMode, StreamSet,
};
use super::socket::Cut;
use crate::node::Intent;
use crate::node::transport::Addr;
use crate::types::{Epoch, Id, Seq, UnixMs};

/// Asks the node of a data directory, which is this process or another one.
///
/// When the other one ends, the client becomes the node or finds the next one, and repeats what was
/// cut off; live streams go on. Dropping an answer's future ends the request.
#[derive(Debug)]
pub struct Client {
    opening: Opening,
    slot: Mutex<Slot>,
}

#[derive(Debug, Default)]
struct Slot {
    /// Counts the ways that were lost, so that two requests cut off together open one new way.
    turn: u64,
    access: Option<Arc<Access>>,
}

/// An answer, and the turn of the way that it came by.
struct Answer {
    response: Response<Body>,
    turn: u64,
}

impl Client {
    /// Becomes the directory's node, or attaches to it.
    ///
    /// # Errors
    /// [`ClientError::Directory`] and [`ClientError::Node`] when it cannot be opened,
    /// [`ClientError::Silent`] when another process holds it and does not answer.
    pub async fn open(opening: Opening) -> Result<Self, ClientError> {
        let client = Self { opening, slot: Mutex::default() };
        client.access().await?;
        Ok(client)
    }

    /// Ends in order. What other processes asked of this one they ask the next one.
    ///
    /// # Errors
    /// [`ClientError::Node`] when the node could not write its last state.
    pub async fn close(self) -> Result<(), ClientError> {
        match self.slot.into_inner().access.as_deref() {
            Some(Access::Here(holder)) => Ok(holder.close().await?),
            Some(Access::There(_)) | None => Ok(()),
        }
    }

    /// Who the node is.
    ///
    /// # Errors
    /// As every request: those of [`Client::open`], when the node has changed;
    /// [`ClientError::Refused`] with its reason; [`ClientError::Answer`] from another version.
    pub async fn info(&self) -> Result<NodeInfo, ClientError> {
        self.ask(request::info).await
    }

    /// How the node stands.
    ///
    /// # Errors
    /// As [`Client::info`].
    pub async fn status(&self) -> Result<Status, ClientError> {
        self.ask(|| request::get("/v1/status")).await
    }

    /// Frees the space of what is of no more use, or tells how much that is.
    ///
    /// # Errors
    /// As [`Client::info`].
    pub async fn reclaim(&self, intent: Intent, keep: Keep) -> Result<Reclaimed, ClientError> {
        let path = format!("/v1/gc?keep={keep}");
        self.ask(|| match intent {
            Intent::Free => request::post(&path, &()),
            Intent::Tell => request::get(&path),
        })
        .await
    }

    /// The peers.
    ///
    /// # Errors
    /// As [`Client::info`].
    pub async fn peers(&self) -> Result<Vec<Peer>, ClientError> {
        self.ask(|| request::get("/v1/peers")).await
    }

    /// Adds peers.
    ///
    /// # Errors
    /// As [`Client::info`].
    pub async fn add_peers(&self, peers: &NewPeers) -> Result<(), ClientError> {
        self.tell(|| request::post("/v1/peers", peers)).await
    }

    /// Removes a peer; its session is cut when this returns.
    ///
    /// # Errors
    /// As [`Client::info`].
    pub async fn remove_peer(&self, id: Id) -> Result<(), ClientError> {
        self.tell(|| request::delete(&format!("/v1/peers/{id}"))).await
    }

    /// Sends one message, whose text `text` gives once for each try; `None` when it cannot give it
    /// again. A repeat under the same `key` (at most 64 hex digits) is the same message. From
    /// `expires` on it is offered to nobody.
    ///
    /// # Errors
    /// As [`Client::info`]; [`ClientError::Input`] when the text cannot be read,
    /// [`ClientError::NotRepeatable`].
    pub async fn send(
        &self,
        to: Id,
        key: &str,
        expires: Option<UnixMs>,
        mut text: impl FnMut() -> Option<Body>,
    ) -> Result<Sent, ClientError> {
        let path = format!("/v1/messages?to={to}{}", request::until(expires));
        loop {
            let (body, failure) = watched(text().ok_or(ClientError::NotRepeatable)?);
            if let Some(sent) = self.try_bytes(request::post_once(&path, key, body)).await? {
                return parse(&sent);
            }
            if let Some(failure) = failure.get() {
                return Err(ClientError::Input(io::Error::other(failure.clone())));
            }
        }
    }

    /// A page of stored messages, from the first one or after those of another page.
    ///
    /// # Errors
    /// As [`Client::info`].
    pub async fn messages(&self, set: ListSet, after: Option<&str>) -> Result<Page, ClientError> {
        let after = after.map(|cursor| format!("&after={}", request::escape(cursor)));
        let path = format!("/v1/messages?set={set}{}", after.unwrap_or_default());
        self.ask(|| request::get(&path)).await
    }

    /// One message's text, in pieces. Without an epoch the first life that was seen is meant.
    pub fn text(&self, from: Id, epoch: Option<Epoch>, seq: Seq) -> TextReader<'_> {
        TextReader::new(self, from, epoch, seq)
    }

    /// A proof that a message is at its recipient, as the bytes of its file. Without an epoch the
    /// life of the node's log that it writes now is meant.
    ///
    /// # Errors
    /// As [`Client::info`]; [`ClientError::Refused`] also when nothing acknowledges the message.
    pub async fn receipt(
        &self,
        to: Id,
        epoch: Option<Epoch>,
        seq: Seq,
    ) -> Result<Bytes, ClientError> {
        let epoch = epoch.map(|epoch| format!("?epoch={epoch}")).unwrap_or_default();
        let path = format!("/v1/receipts/{to}/{seq}{epoch}");
        loop {
            if let Some(proof) = self.try_bytes(request::get(&path)).await? {
                return Ok(proof);
            }
        }
    }

    /// Messages as they are offered; for ever, or until none is left.
    pub fn stream(&self, set: StreamSet, mode: StreamMode) -> Live<'_, Group> {
        Live::new(self, format!("/v1/stream?set={set}&mode={mode}"), events::GROUP)
    }

    /// Marks messages as archived.
    ///
    /// # Errors
    /// As [`Client::info`].
    pub async fn archive(&self, places: &Places) -> Result<(), ClientError> {
        self.tell(|| request::post("/v1/archive", places)).await
    }

    /// Drops messages for good.
    ///
    /// # Errors
    /// As [`Client::info`].
    pub async fn clear(&self, places: &Places) -> Result<(), ClientError> {
        self.tell(|| request::post("/v1/clear", places)).await
    }

    /// Listens for as long as the stream lives; it yields the bound address.
    pub fn listen(&self, address: Option<SocketAddr>) -> Live<'_, Listening> {
        Live::new(self, request::with_address("/v1/listen", address.as_ref()), events::LISTENING)
    }

    /// Stays connected for as long as the stream lives; it yields acknowledgements.
    pub fn connect(&self, to: Id, hint: Option<&Addr>) -> Live<'_, Ack> {
        let path = request::with_address(&format!("/v1/connect/{to}"), hint);
        Live::new(self, path, events::ACK)
    }

    /// Waits until sent messages have come to `level`.
    ///
    /// # Errors
    /// As [`Client::info`]; [`ClientError::Refused`] also when one is rejected.
    pub async fn wait(&self, to: Id, sent: SentRange, level: Level) -> Result<(), ClientError> {
        let SentRange { epoch, first, last } = sent;
        let path =
            format!("/v1/wait?to={to}&epoch={epoch}&first={first}&last={last}&level={level}");
        self.tell(|| request::get(&path)).await
    }

    /// All that the node stores, handed on in pieces as they come.
    ///
    /// # Errors
    /// As [`Client::info`]; [`ClientError::BackupCut`] when the node ends meanwhile, and what `take`
    /// returns.
    pub async fn backup<E: From<ClientError>>(
        &self,
        mut take: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let answer = loop {
            if let Some(answer) = self.try_answer(request::get("/v1/backup")).await? {
                break answer;
            }
        };
        let mut body = answer.response.into_body().into_data_stream();
        while let Some(piece) = body.next().await {
            take(&piece.map_err(|error| ClientError::BackupCut(error.to_string()))?)?;
        }
        Ok(())
    }

    /// Asks until there is an answer.
    async fn ask<T: DeserializeOwned>(
        &self,
        request: impl Fn() -> Request<Body>,
    ) -> Result<T, ClientError> {
        loop {
            if let Some(bytes) = self.try_bytes(request()).await? {
                return parse(&bytes);
            }
        }
    }

    /// Asks for something whose answer is only that it is done.
    async fn tell(&self, request: impl Fn() -> Request<Body>) -> Result<(), ClientError> {
        while self.try_bytes(request()).await?.is_none() {}
        Ok(())
    }

    /// Asks once; `None` when the answer was cut off and there is another way to try.
    async fn try_bytes(&self, request: Request<Body>) -> Result<Option<Bytes>, ClientError> {
        let Some(answer) = self.try_answer(request).await? else { return Ok(None) };
        match answer.response.into_body().collect().await {
            Ok(body) => Ok(Some(body.to_bytes())),
            Err(error) => {
                self.on_cut(answer.turn, &Cut::new(&error)).await;
                Ok(None)
            }
        }
    }

    /// Asks once, for an answer whose body is still to come.
    async fn try_answer(&self, request: Request<Body>) -> Result<Option<Answer>, ClientError> {
        let (access, turn) = self.access().await?;
        let response = match access.call(request).await {
            Ok(response) => response,
            Err(cut) => {
                self.on_cut(turn, &cut).await;
                return Ok(None);
            }
        };
        if response.status().is_success() {
            return Ok(Some(Answer { response, turn }));
        }
        if response.status() == StatusCode::SERVICE_UNAVAILABLE && access.is_there() {
            self.on_cut(turn, &Cut::new(&"the node is ending")).await;
            return Ok(None);
        }
        Err(refusal(response).await)
    }

    /// The way to the node, found anew when the last one was lost.
    async fn access(&self) -> Result<(Arc<Access>, u64), ClientError> {
        let mut slot = self.slot.lock().await;
        let access = match &slot.access {
            Some(access) => Arc::clone(access),
            None => Arc::new(self.opening.open().await?),
        };
        slot.access = Some(Arc::clone(&access));
        Ok((access, slot.turn))
    }

    /// Forgets a way that was cut off, unless that has been done.
    async fn on_cut(&self, turn: u64, cut: &Cut) {
        let mut slot = self.slot.lock().await;
        if slot.turn == turn {
            tracing::debug!(%cut, "the node ended; another one is looked for");
            slot.turn += 1;
            slot.access = None;
        }
    }
}

/// A body that fails ends its request like a connection that was cut off; this tells the two apart.
fn watched(body: Body) -> (Body, Arc<OnceLock<String>>) {
    let failure = Arc::new(OnceLock::new());
    let noted = Arc::clone(&failure);
    let body = body.inspect_err(move |error| {
        // The first failure is the cause.
        let _ = noted.set(error.to_string());
    });
    (Body::new(body), failure)
}

async fn refusal(response: Response<Body>) -> ClientError {
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.map(|body| body.to_bytes());
    match body.ok().as_deref().map(serde_json::from_slice::<Problem>) {
        Some(Ok(Problem { error: problem })) => ClientError::Refused { status, problem },
        _ => ClientError::Answer(format!("status {status}")),
    }
}

fn parse<T: DeserializeOwned>(json: &[u8]) -> Result<T, ClientError> {
    serde_json::from_slice(json).map_err(|error| ClientError::Answer(error.to_string()))
}
