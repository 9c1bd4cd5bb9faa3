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

pub(super) fn routes() -> Router<Api> {
    Router::new().route("/v1/messages", post(send).get(messages::list))
}

/// To whom.
#[derive(Debug, Deserialize)]
struct Recipient {
    to: IdText,
}

async fn send(
    State(api): State<Api>,
    Query(Recipient { to: IdText(to) }): Query<Recipient>,
    IdempotencyKey(idempotency_key): IdempotencyKey,
    body: Body,
) -> Result<Json<Sent>, ApiError> {
    let text = StreamReader::new(body.into_data_stream().map_err(io::Error::other));
    let options = SendOptions { idempotency_key, ..SendOptions::default() };
    let sent = api.node.send_stream(to, text, options).await?;
    Ok(Json(sent.into()))
}
