//! Peers: whose messages are let in.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{delete, get};
use axum::{Json as Answer, Router};

use super::Api;
use super::error::ApiError;
use super::extract::{Json, Path};
use crate::gateway::schema::{IdText, NewPeers, Peer, Quota};

pub(super) fn routes() -> Router<Api> {
    Router::new().route("/v1/peers", get(list).post(add)).route("/v1/peers/{id}", delete(remove))
}

async fn list(State(api): State<Api>) -> Result<Answer<Vec<Peer>>, ApiError> {
    let peers = api.node.peers().await?;
    Ok(Answer(peers.into_iter().map(Peer::from).collect()))
}

async fn add(State(api): State<Api>, Json(new): Json<NewPeers>) -> Result<StatusCode, ApiError> {
    for id in new.ids {
        api.node.add_peer_with(id, new.quota.map(Quota::into)).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

async fn remove(
    State(api): State<Api>,
    Path(IdText(id)): Path<IdText>,
) -> Result<StatusCode, ApiError> {
    api.node.remove_peer(id).await?;
    Ok(StatusCode::NO_CONTENT)
}
