//! Live streams that go on when the node changes.

use std::marker::PhantomData;

use axum::body::{Body, BodyDataStream};
use axum::http::Request;
use futures::StreamExt;
use serde::de::DeserializeOwned;

use super::{Answer, Client, parse, request};
use crate::gateway::error::ClientError;
use crate::gateway::events::{self, Event, EventReader};
use crate::gateway::schema::Problem;
use crate::gateway::socket::Cut;

/// A live stream of the local API. Dropping it ends the request, and with it what the node did for
/// it.
#[derive(Debug)]
#[must_use = "nothing is asked before `next`"]
pub struct Live<'a, T> {
    client: &'a Client,
    path: String,
    name: &'static str,
    events: Option<Events>,
    item: PhantomData<fn() -> T>,
}

impl<'a, T: DeserializeOwned> Live<'a, T> {
    pub(super) const fn new(client: &'a Client, path: String, name: &'static str) -> Self {
        Self { client, path, name, events: None, item: PhantomData }
    }

    /// The next item; `None` when the stream has nothing more to say.
    ///
    /// # Errors
    /// As of [`Client::info`]; [`ClientError::Refused`] also when the stream fails.
    pub async fn next(&mut self) -> Result<Option<T>, ClientError> {
        loop {
            let events = match &mut self.events {
                Some(events) => events,
                empty => match self.client.try_events(request::get(&self.path)).await? {
                    Some(events) => empty.insert(events),
                    None => continue,
                },
            };
            match events.next().await {
                Ok(Some(event)) if event.name == self.name => return parse(&event.data).map(Some),
                Ok(Some(event)) => return Err(unexpected(&event)),
                Ok(None) => return Ok(None),
                Err(cut) => {
                    let turn = events.turn;
                    self.events = None;
                    self.client.on_cut(turn, &cut).await;
                }
            }
        }
    }
}

impl Client {
    /// Asks once for a stream; `None` when that was cut off and there is another way to try.
    pub(super) async fn try_events(
        &self,
        request: Request<Body>,
    ) -> Result<Option<Events>, ClientError> {
        Ok(self.try_answer(request).await?.map(Events::new))
    }
}

/// The events of one answer.
#[derive(Debug)]
pub(super) struct Events {
    body: BodyDataStream,
    reader: EventReader,
    /// The turn of the way that it comes by.
    pub(super) turn: u64,
}

impl Events {
    fn new(answer: Answer) -> Self {
        let body = answer.response.into_body().into_data_stream();
        Self { body, reader: EventReader::default(), turn: answer.turn }
    }

    /// The next event; `None` at the stream's end. Safe to drop while it waits.
    ///
    /// # Errors
    /// [`Cut`] when the stream stops without an end.
    pub(super) async fn next(&mut self) -> Result<Option<Event>, Cut> {
        loop {
            if let Some(event) = self.reader.next() {
                return Ok((event.name != events::END).then_some(event));
            }
            match self.body.next().await {
                Some(Ok(bytes)) => self.reader.push(&bytes),
                Some(Err(error)) => return Err(Cut::new(&error)),
                None => return Err(Cut::new(&"the stream stopped without an end")),
            }
        }
    }
}

/// What an event means that is not one of those asked for.
pub(super) fn unexpected(event: &Event) -> ClientError {
    if event.name != events::PROBLEM {
        return ClientError::Answer(format!("the event {:?}", event.name));
    }
    match parse::<Problem>(&event.data) {
        Ok(Problem { error: problem }) => ClientError::Refused { status: 200, problem },
        Err(error) => error,
    }
}
