//! Stored messages: listed, and read one by one.

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;

use super::Api;
use super::error::ApiError;
use super::extract::{Life, Path, Query};
use crate::gateway::schema::{IdText, ListSet, Page};
use crate::node::Cursor;
use crate::types::Seq;

pub(super) fn routes() -> Router<Api> {
    Router::new().route("/v1/messages/{from}/{seq}", get(read))
}

/// Which messages, and after which.
#[derive(Debug, Deserialize)]
pub(super) struct Listing {
    set: ListSet,
    after: Option<String>,
}

pub(super) async fn list(
    State(api): State<Api>,
    Query(listing): Query<Listing>,
) -> Result<Json<Page>, ApiError> {
    let after = listing.after.map(|text| text.parse::<Cursor>()).transpose();
    let after = after.map_err(|error| ApiError::bad_request(error.to_string()))?;
    let page = api.node.messages(listing.set.into(), after).await?;
    Ok(Json(Page::new(listing.set, page)))
}

async fn read(
    State(api): State<Api>,
    Path((IdText(from), seq)): Path<(IdText, Seq)>,
    Query(Life { epoch }): Query<Life>,
) -> Result<Response, ApiError> {
    let body = api.node.read(from, epoch, seq).await?;
    let headers = [
        (CONTENT_TYPE, "application/octet-stream".to_owned()),
        (CONTENT_LENGTH, body.size().to_string()),
    ];
    Ok((headers, Body::from_stream(body.into_stream())).into_response())
}
