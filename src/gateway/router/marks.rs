//! Marks: messages that their reader is done with.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;

use super::Api;
use super::error::ApiError;
use super::extract::Json;
use crate::gateway::schema::{self, PlaceRange};
use crate::node::{Node, NodeError, Place, Places};

pub(super) fn routes() -> Router<Api> {
    Router::new().route("/v1/archive", post(archive)).route("/v1/clear", post(clear))
}

async fn archive(
    State(api): State<Api>,
    Json(request): Json<schema::Places>,
) -> Result<StatusCode, ApiError> {
    api.node.archive(places(&api.node, request).await?).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn clear(
    State(api): State<Api>,
    Json(request): Json<schema::Places>,
) -> Result<StatusCode, ApiError> {
    api.node.clear(places(&api.node, request).await?).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn places(node: &Node, request: schema::Places) -> Result<Places, ApiError> {
    let mut places = Vec::with_capacity(request.places.len());
    for PlaceRange { from, epoch, first, last } in request.places {
        let epoch = match epoch {
            Some(epoch) => Some(epoch),
            None => node.first_epoch(from).await?,
        };
        let epoch = epoch.ok_or(NodeError::NothingFrom(from))?;
        places.push(Place { from, epoch, seqs: first.0..=last.0 });
    }
    Ok(places.into_iter().collect())
}
