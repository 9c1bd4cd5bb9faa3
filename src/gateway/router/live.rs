//! Live streams: server-sent events that end in a way the client can tell.

use std::convert::Infallible;
use std::future::ready;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream::{self, Stream, StreamExt};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::error::ApiError;
use crate::gateway::events;

/// What a live stream yields: a named event with its JSON, or why it ends.
pub(super) type Item = Result<Event, ApiError>;

/// An event.
pub(super) fn event(name: &'static str, data: &impl Serialize) -> Event {
    let event = Event::default().event(name);
    event.json_data(data).expect("the schema's types are JSON, and one event has one datum")
}

/// Answers with `items`, then `end`; with `problem` when one fails; with neither when `stop` is
/// cancelled or the node ends, so that the client asks the next node.
pub(super) fn answer(
    items: impl Stream<Item = Item> + Send + 'static,
    stop: CancellationToken,
) -> Response {
    let end = stream::once(ready(Ok(event(events::END, &()))));
    let known = items.chain(end).take_while(|item| ready(!is_stopping(item)));
    let told = known.map(|item| {
        let told = item.unwrap_or_else(|error| event(events::PROBLEM, &error.into_problem()));
        Ok::<_, Infallible>(told)
    });
    Sse::new(told.take_until(stop.cancelled_owned()))
        .keep_alive(KeepAlive::default())
        .into_response()
}

fn is_stopping(item: &Item) -> bool {
    item.as_ref().is_err_and(ApiError::is_stopping)
}
