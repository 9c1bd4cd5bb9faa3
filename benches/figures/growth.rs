//! Whether a message costs the same however much there is already: messages in the log, peers, idle
//! sessions.

use std::path::Path;
use std::time::Instant;

use futures::{StreamExt as _, stream};
use peermq::crypto::Identity;
use peermq::node::Options;
use peermq::types::Id;
use peermq_storage::Kind;

use crate::child::Child;
use crate::pair::Pair;
use crate::road::archive_ranges;
use crate::{IN_FLIGHT_COUNT, Outcome, float, message, texts};

/// Microseconds a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    /// To send it durably, in groups.
    pub(crate) send_us: f64,
    /// From the dial to its durable archive at the reader, in groups.
    pub(crate) arrive_us: f64,
}

/// What a message costs when there are so many in the sender's log, all of them archived by their
/// reader; up to `top`.
pub(crate) async fn log(store: Kind, top: usize, dir: &Path) -> Outcome<Vec<(usize, Cost)>> {
    let pair = Pair::open(store, dir).await?;
    let (mut costs, mut length) = (Vec::new(), 0);
    for size in powers_of_ten(1_000, top) {
        pass(&pair, size - length).await?;
        costs.push((size, pass(&pair, SAMPLE_COUNT.min(size)).await?));
        length = size + SAMPLE_COUNT.min(size);
    }
    pair.close().await?;
    Ok(costs)
}

/// Messages go their whole road: what is sent before the two meet arrives when they have.
async fn pass(pair: &Pair, count: usize) -> Outcome<Cost> {
    let start = Instant::now();
    pair.sender.send_all(pair.receiver.id(), texts(count)).await?;
    let send_us = us_each(start, count);
    let start = Instant::now();
    let connection = pair.connect().await?;
    archive_ranges(&pair.receiver, count).await?;
    let arrive_us = us_each(start, count);
    connection.close().await;
    Ok(Cost { send_us, arrive_us })
}

/// Microseconds to send a message durably, many in flight, when they go to so many peers in turn.
pub(crate) async fn peers(store: Kind, top: usize, dir: &Path) -> Outcome<Vec<(usize, f64)>> {
    let node = Options::new(dir.join("node")).store(store).open().await?;
    let (mut costs, mut ids): (_, Vec<Id>) = (Vec::new(), Vec::new());
    for size in powers_of_ten(1, top) {
        let new: Vec<Id> = (ids.len()..size).map(id).collect::<Outcome<_>>()?;
        node.add_peers(new.iter().copied()).await?;
        ids.extend(new);
        let start = Instant::now();
        let in_turn = ids.iter().cycle().take(SAMPLE_COUNT);
        let sends = in_turn.map(|id| node.send(*id, message()));
        let mut sends = stream::iter(sends).buffer_unordered(IN_FLIGHT_COUNT);
        while let Some(sent) = sends.next().await {
            sent?;
        }
        costs.push((size, us_each(start, SAMPLE_COUNT)));
    }
    node.shutdown().await?;
    Ok(costs)
}

/// Microseconds a message until it is durable at a node that has so many sessions on which nothing
/// passes.
pub(crate) fn sessions(store: Kind, top: usize, dir: &Path) -> Outcome<Vec<(usize, f64)>> {
    let mut node = Child::with_nodes(store, &dir.join("node"), 1)?;
    let mut sender = Child::with_nodes(store, &dir.join("sender"), 1)?;
    let (id, from, address) = (node.ask("ids")?, sender.ask("ids")?, node.ask("listen")?);
    node.ask(&format!("add {from}"))?;
    sender.ask(&format!("connect {id} {address}"))?;
    let (mut costs, mut crowds, mut live) = (Vec::new(), Vec::new(), 0);
    for size in powers_of_ten(1, top) {
        let mut crowd = Child::with_nodes(Kind::Redb, &dir.join(size.to_string()), size - live)?;
        let ids = crowd.ask("ids")?;
        node.ask(&format!("add {ids}"))?;
        crowd.ask(&format!("connect {id} {address}"))?;
        crowds.push(crowd);
        live = size;
        let start = Instant::now();
        sender.ask(&format!("send {id} {SAMPLE_COUNT}"))?;
        sender.ask("await-stored")?;
        costs.push((size, us_each(start, SAMPLE_COUNT)));
        node.ask(&format!("expect-sessions {}", live + 1))?;
    }
    for child in crowds.into_iter().chain([sender, node]) {
        child.end()?;
    }
    Ok(costs)
}

fn us_each(start: Instant, count: usize) -> f64 {
    start.elapsed().as_secs_f64() * 1_000_000.0 / float(count)
}

/// An id of a node that is never met.
fn id(number: usize) -> Outcome<Id> {
    let mut seed = [9; 32];
    let (first, _) = seed.split_first_chunk_mut().ok_or("expected room for a number")?;
    *first = u64::try_from(number)?.to_be_bytes();
    Ok(Identity::from_seed(&seed).id())
}

fn powers_of_ten(first: usize, top: usize) -> impl Iterator<Item = usize> {
    std::iter::successors(Some(first), |size| size.checked_mul(10)).take_while(move |s| *s <= top)
}

/// Messages of one measurement.
const SAMPLE_COUNT: usize = 10_000;
