//! Forks, and what else the user has to know.

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json as Answer, Router};
use futures::TryStreamExt;

use super::Api;
use super::error::ApiError;
use super::extract::{Life, Path, Query};
use super::live;
use crate::gateway::events;
use crate::gateway::schema::{Fork, IdText, Notice};

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/v1/notices", get(notices))
        .route("/v1/forks", get(list))
        .route("/v1/forks/{author}/proof", get(proof))
        .route("/v1/forks/{author}/acknowledge", post(acknowledge))
}

async fn notices(State(api): State<Api>) -> Response {
    let notices = api.node.notices();
    let told = notices.map_ok(|notice| live::event(events::NOTICE, &Notice::from(notice)));
    live::answer(told.map_err(ApiError::from), api.stop)
}

async fn list(State(api): State<Api>) -> Result<Answer<Vec<Fork>>, ApiError> {
    let forks = api.node.forks().await?;
    Ok(Answer(forks.into_iter().map(Fork::from).collect()))
}

async fn proof(
    State(api): State<Api>,
    Path(IdText(author)): Path<IdText>,
    Query(Life { epoch }): Query<Life>,
) -> Result<Response, ApiError> {
    let proof = api.node.fork_proof(author, epoch).await?;
    Ok(([(CONTENT_TYPE, "application/octet-stream")], proof.encode()).into_response())
}

async fn acknowledge(
    State(api): State<Api>,
    Path(IdText(author)): Path<IdText>,
    Query(Life { epoch }): Query<Life>,
) -> Result<StatusCode, ApiError> {
    api.node.acknowledge_fork(author, epoch).await?;
    Ok(StatusCode::NO_CONTENT)
}
