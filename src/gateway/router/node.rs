//! The node itself: who it is and how it stands.

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;

use super::Api;
use super::error::ApiError;
use super::extract::Query;
use crate::gateway::schema::{Keep, NodeInfo, Reclaimed, Status};
use crate::node::Intent;

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/v1/node", get(info))
        .route("/v1/status", get(status))
        .route("/v1/backup", get(backup))
        .route("/v1/gc", get(useless).post(reclaim))
}

#[derive(Debug, Deserialize)]
struct Keeping {
    #[serde(default)]
    keep: Keep,
}

async fn useless(
    State(api): State<Api>,
    Query(Keeping { keep }): Query<Keeping>,
) -> Result<Json<Reclaimed>, ApiError> {
    Ok(Json(Reclaimed { bytes: api.node.reclaim(Intent::Tell, keep.into()).await? }))
}

async fn reclaim(
    State(api): State<Api>,
    Query(Keeping { keep }): Query<Keeping>,
) -> Result<Json<Reclaimed>, ApiError> {
    Ok(Json(Reclaimed { bytes: api.node.reclaim(Intent::Free, keep.into()).await? }))
}

async fn backup(State(api): State<Api>) -> Result<Response, ApiError> {
    let headers = [(CONTENT_TYPE, "application/octet-stream")];
    Ok((headers, Body::from_stream(api.node.backup().await?)).into_response())
}

async fn info(State(api): State<Api>) -> Json<NodeInfo> {
    Json(NodeInfo { id: api.node.id(), epoch: api.node.epoch() })
}

async fn status(State(api): State<Api>) -> Result<Json<Status>, ApiError> {
    Ok(Json(api.node.status().await?.into()))
}
