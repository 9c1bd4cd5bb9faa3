//! Messages as they are offered to their reader.

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use futures::stream;
use serde::Deserialize;

use super::Api;
use super::error::ApiError;
use super::extract::Query;
use super::live;
use crate::gateway::events;
use crate::gateway::schema::{Group, StreamMode, StreamSet};

pub(super) fn routes() -> Router<Api> {
    Router::new().route("/v1/stream", get(offer))
}

/// Which messages, and whether to wait for more.
#[derive(Debug, Deserialize)]
struct Offer {
    set: StreamSet,
    mode: StreamMode,
}

async fn offer(State(api): State<Api>, Query(offer): Query<Offer>) -> Response {
    let messages = api.node.stream(offer.set.into(), offer.mode.into());
    let groups = stream::try_unfold(messages, async |mut messages| {
        let group = messages.next_group().await?;
        let told = group.map(|group| live::event(events::GROUP, &Group::from(group)));
        Ok::<_, ApiError>(told.map(|event| (event, messages)))
    });
    live::answer(groups, api.stop)
}
