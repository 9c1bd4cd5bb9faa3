//! Receipts as proofs, for whoever doubts a delivery.

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::Api;
use super::error::ApiError;
use super::extract::{Life, Path, Query};
use crate::gateway::schema::IdText;
use crate::types::Seq;

pub(super) fn routes() -> Router<Api> {
    Router::new().route("/v1/receipts/{to}/{seq}", get(read))
}

async fn read(
    State(api): State<Api>,
    Path((IdText(to), seq)): Path<(IdText, Seq)>,
    Query(Life { epoch }): Query<Life>,
) -> Result<Response, ApiError> {
    let proof = api.node.receipt(to, epoch, seq).await?;
    Ok(([(CONTENT_TYPE, "application/octet-stream")], proof.encode()).into_response())
}
