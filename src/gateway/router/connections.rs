//! Listening, connecting and waiting: they hold for as long as their request lives.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use futures::future;
use futures::stream::{self, StreamExt, TryStreamExt};
use serde::Deserialize;

use super::Api;
use super::error::ApiError;
use super::extract::{Path, Query};
use super::live;
use crate::gateway::events;
use crate::gateway::schema::{Ack, IdText, Level, Listening};
use crate::node::transport::Addr;
use crate::types::{Epoch, Seq};

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/v1/listen", get(listen))
        .route("/v1/connect/{id}", get(connect))
        .route("/v1/wait", get(wait))
}

/// Where to bind.
#[derive(Debug, Deserialize)]
struct Bind {
    address: Option<SocketAddr>,
}

/// Where to dial, too.
#[derive(Debug, Deserialize)]
struct Hint {
    address: Option<String>,
}

async fn listen(
    State(api): State<Api>,
    Query(Bind { address }): Query<Bind>,
) -> Result<Response, ApiError> {
    let listening = api.node.listen(address).await?;
    let bound = live::event(events::LISTENING, &Listening { address: listening.address() });
    // What listens is dropped with the stream, and the stream with its request.
    let held = stream::once(async move {
        let _listening = listening;
        future::pending::<live::Item>().await
    });
    Ok(live::answer(stream::once(future::ready(Ok(bound))).chain(held), api.stop))
}

async fn connect(
    State(api): State<Api>,
    Path(IdText(to)): Path<IdText>,
    Query(Hint { address }): Query<Hint>,
) -> Result<Response, ApiError> {
    let hint = address.map(|text| text.parse::<Addr>()).transpose();
    let hint = hint.map_err(|error| ApiError::bad_request(error.to_string()))?;
    let acks = api.node.connect(to, hint).await?;
    let told = acks.map_ok(|ack| live::event(events::ACK, &Ack::from(ack)));
    Ok(live::answer(told.map_err(ApiError::from), api.stop))
}

/// Which sent messages to wait for, and for what.
#[derive(Debug, Deserialize)]
struct Awaited {
    to: IdText,
    epoch: Epoch,
    first: Seq,
    last: Seq,
    level: Level,
}

async fn wait(
    State(api): State<Api>,
    Query(awaited): Query<Awaited>,
) -> Result<StatusCode, ApiError> {
    let Awaited { to: IdText(to), epoch, first, last, level } = awaited;
    let reached = api.node.wait_all(to, epoch, first.0..=last.0, level.into());
    tokio::select! {
        reached = reached => reached?,
        () = api.stop.cancelled() => return Err(ApiError::stopping()),
    }
    Ok(StatusCode::NO_CONTENT)
}
