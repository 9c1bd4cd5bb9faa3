//! One message of any size, streamed in.

use std::io;

use axum::body::Body;
use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use futures::TryStreamExt;
use serde::Deserialize;
use tokio_util::io::StreamReader;

use super::Api;
use super::error::ApiError;
use super::extract::{IdempotencyKey, Query};
use super::messages;
use crate::gateway::schema::{IdText, Sent};
use crate::node::SendOptions;
use crate::types::UnixMs;

pub(super) fn routes() -> Router<Api> {
    Router::new().route("/v1/messages", post(send).get(messages::list))
}

/// To whom, and from when on nobody should read it.
#[derive(Debug, Deserialize)]
struct Target {
    to: IdText,
    expires: Option<UnixMs>,
}

async fn send(
    State(api): State<Api>,
    Query(Target { to: IdText(to), expires }): Query<Target>,
    IdempotencyKey(idempotency_key): IdempotencyKey,
    body: Body,
) -> Result<Json<Sent>, ApiError> {
    let text = StreamReader::new(body.into_data_stream().map_err(io::Error::other));
    let options = SendOptions { idempotency_key, expires, ..SendOptions::default() };
    let sent = api.node.send_stream(to, text, options).await?;
    Ok(Json(sent.into()))
}
