//! The whole road of a backlog, from the first send to the last durable archive.

use std::path::Path;
use std::time::Instant;

use futures::{StreamExt as _, stream};
use peermq::node::{Message, Mode, Node, NodeError, Set};
use peermq::types::Id;
use peermq_storage::Kind;

use crate::pair::Pair;
use crate::{IN_FLIGHT_COUNT, Outcome, float, message};

/// How the reader archives.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Archive {
    /// Each group that the stream gives, in one step.
    InRanges,
    /// Each message by itself, many of them in flight.
    OneByOne,
}

/// Messages per second from durable send over sync, durable receipt and unread stream to durable
/// archive, and until the sender knows of all of it; the sends are in flight together and done before the peers meet.
pub(crate) async fn measure(
    store: Kind,
    count: usize,
    archive: Archive,
    dir: &Path,
) -> Outcome<f64> {
    let pair = Pair::open(store, dir).await?;
    let start = Instant::now();
    send_backlog(&pair.sender, pair.receiver.id(), count).await?;
    let sent = start.elapsed();
    let connection = pair.connect().await?;
    match archive {
        Archive::InRanges => archive_ranges(&pair.receiver, count).await?,
        Archive::OneByOne => {
            let messages = pair.receiver.stream(Set::Unread, Mode::Live).into_stream();
            archive_each(&pair.receiver, messages.take(count).boxed()).await?;
        }
    }
    pair.await_archived(count).await?;
    let elapsed = start.elapsed();
    eprintln!("  {} {archive:?}: sent in {sent:.2?} of {elapsed:.2?}", store.name());
    connection.close().await;
    pair.close().await?;
    Ok(float(count) / elapsed.as_secs_f64())
}

/// Durable archives per second of messages that lie unread.
pub(crate) struct Archives {
    pub(crate) one_at_a_time: f64,
    pub(crate) in_flight: f64,
}

pub(crate) async fn archives(store: Kind, count: usize, dir: &Path) -> Outcome<Archives> {
    let pair = Pair::open(store, dir).await?;
    send_backlog(&pair.sender, pair.receiver.id(), count).await?;
    let connection = pair.connect().await?;
    let mut unread = pair.receiver.stream(Set::Unread, Mode::Live);
    let mut messages: Vec<Message> = Vec::with_capacity(count);
    while messages.len() < count {
        messages.extend(unread.next_group().await?.ok_or("the stream ended")?);
    }
    connection.close().await;
    let singles = messages.split_off(count - count / 20);
    let start = Instant::now();
    for message in &singles {
        pair.receiver.archive(message).await?;
    }
    let one_at_a_time = float(singles.len()) / start.elapsed().as_secs_f64();
    let rest = messages.len();
    let start = Instant::now();
    archive_each(&pair.receiver, stream::iter(messages.into_iter().map(Ok)).boxed()).await?;
    let in_flight = float(rest) / start.elapsed().as_secs_f64();
    drop(unread);
    pair.close().await?;
    Ok(Archives { one_at_a_time, in_flight })
}

async fn send_backlog(node: &Node, to: Id, count: usize) -> Result<(), NodeError> {
    let sends =
        stream::iter(0..count).map(|_| node.send(to, message())).buffer_unordered(IN_FLIGHT_COUNT);
    let mut sends = std::pin::pin!(sends);
    while let Some(sent) = sends.next().await {
        sent?;
    }
    Ok(())
}

/// Archives so many messages, each group that the stream gives in one step.
pub(crate) async fn archive_ranges(node: &Node, count: usize) -> Outcome<()> {
    let mut unread = node.stream(Set::Unread, Mode::Live);
    let mut archived = 0;
    while archived < count {
        let group = unread.next_group().await?.ok_or("the stream ended")?;
        archived += group.len();
        node.archive(&group).await?;
    }
    Ok(())
}

async fn archive_each(
    node: &Node,
    messages: stream::BoxStream<'_, Result<Message, NodeError>>,
) -> Result<(), NodeError> {
    let archives = messages
        .map(|message| async {
            let message = message?;
            node.archive(&message).await
        })
        .buffer_unordered(IN_FLIGHT_COUNT);
    let mut archives = std::pin::pin!(archives);
    while let Some(archived) = archives.next().await {
        archived?;
    }
    Ok(())
}
