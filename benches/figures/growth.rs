//! Whether a message costs the same however much there is already: messages in the log, peers, idle
//! sessions. Time on a processor tells it also on a machine that has other work.

use std::path::Path;
use std::time::{Duration, Instant};

use futures::{StreamExt as _, stream};
use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;
use peermq::crypto::Identity;
use peermq::node::Options;
use peermq::types::Id;
use peermq_storage::Kind;

use crate::child::Child;
use crate::pair::Pair;
use crate::road::archive_ranges;
use crate::{IN_FLIGHT_COUNT, Outcome, float, message, texts};

/// What a message costs, by how much there was.
pub(crate) type Costs = Vec<(usize, Cost)>;

/// Microseconds a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    /// On a processor, of all threads of the process.
    pub(crate) cpu_us: f64,
    /// On the wall.
    pub(crate) wall_us: f64,
}

/// Its whole road, both ends together, when there are so many in the sender's log, all of them
/// archived by their reader; up to `top`.
pub(crate) async fn log(store: Kind, top: usize, dir: &Path) -> Outcome<Costs> {
    let pair = Pair::open(store, dir).await?;
    let (mut costs, mut length) = (Costs::new(), 0);
    for size in powers_of_ten(1_000, top) {
        pass(&pair, length, size - length).await?;
        // Many beside the one connection that they take: the smallest log grows sixfold meanwhile.
        let count = SAMPLE_COUNT.min(5 * size);
        let meter = Meter::start(std::process::id())?;
        pass(&pair, size, count).await?;
        costs.push((size, meter.cost(count)?));
        length = size + count;
    }
    pair.close().await?;
    Ok(costs)
}

/// Messages go their whole road, beyond those that have gone before, until the sender knows that they
/// are archived: what is sent before the two meet arrives when they have.
async fn pass(pair: &Pair, before: usize, count: usize) -> Outcome<()> {
    pair.sender.send_all(pair.receiver.id(), texts(count)).await?;
    let connection = pair.connect().await?;
    archive_ranges(&pair.receiver, count).await?;
    pair.await_archived(before + count).await?;
    connection.close().await;
    Ok(())
}

/// To send it durably, many in flight, when they go to so many peers in turn.
pub(crate) async fn peers(store: Kind, top: usize, dir: &Path) -> Outcome<Costs> {
    let node = Options::new(dir.join("node")).store(store).open().await?;
    let (mut costs, mut ids): (_, Vec<Id>) = (Costs::new(), Vec::new());
    for size in powers_of_ten(1, top) {
        let new: Vec<Id> = (ids.len()..size).map(id).collect::<Outcome<_>>()?;
        node.add_peers(new.iter().copied()).await?;
        // The secret with each is agreed on once, at its first message: that is no part of the cost.
        for id in &new {
            node.send(*id, message()).await?;
        }
        ids.extend(new);
        let meter = Meter::start(std::process::id())?;
        let in_turn = ids.iter().cycle().take(SAMPLE_COUNT);
        let sends = in_turn.map(|id| node.send(*id, message()));
        let mut sends = stream::iter(sends).buffer_unordered(IN_FLIGHT_COUNT);
        while let Some(sent) = sends.next().await {
            sent?;
        }
        costs.push((size, meter.cost(SAMPLE_COUNT)?));
    }
    node.shutdown().await?;
    Ok(costs)
}

/// To a node until it is durable there, when the node has so many sessions on which nothing passes;
/// on a processor, of this node alone.
pub(crate) fn sessions(store: Kind, top: usize, dir: &Path) -> Outcome<Costs> {
    let mut node = Child::with_nodes(store, &dir.join("node"), 1)?;
    let mut sender = Child::with_nodes(store, &dir.join("sender"), 1)?;
    let (id, from, address) = (node.ask("ids")?, sender.ask("ids")?, node.ask("listen")?);
    node.ask(&format!("add {from}"))?;
    sender.ask(&format!("connect {id} {address}"))?;
    let (mut costs, mut crowds, mut live) = (Costs::new(), Vec::new(), 0);
    for size in powers_of_ten(1, top) {
        let mut crowd = Child::with_nodes(Kind::Redb, &dir.join(size.to_string()), size - live)?;
        let ids = crowd.ask("ids")?;
        node.ask(&format!("add {ids}"))?;
        crowd.ask(&format!("connect {id} {address}"))?;
        crowds.push(crowd);
        live = size;
        let meter = Meter::start(node.process_id())?;
        sender.ask(&format!("send {id} {SAMPLE_COUNT}"))?;
        sender.ask("await-stored")?;
        costs.push((size, meter.cost(SAMPLE_COUNT)?));
        node.ask(&format!("expect-sessions {}", live + 1))?;
    }
    for child in crowds.into_iter().chain([sender, node]) {
        child.end()?;
    }
    Ok(costs)
}

/// Takes the time of one process.
struct Meter {
    /// Of all its threads, also of those that have ended.
    clock: ClockId,
    cpu: Duration,
    start: Instant,
}

impl Meter {
    fn start(process_id: u32) -> Outcome<Self> {
        let clock = clock_getcpuclockid(Pid::from_raw(process_id.try_into()?))?;
        Ok(Self { clock, cpu: clock_gettime(clock)?.into(), start: Instant::now() })
    }

    fn cost(self, count: usize) -> Outcome<Cost> {
        let wall_us = self.start.elapsed().as_secs_f64() * 1_000_000.0;
        let cpu = Duration::from(clock_gettime(self.clock)?).saturating_sub(self.cpu);
        let cpu_us = cpu.as_secs_f64() * 1_000_000.0;
        Ok(Cost { cpu_us: cpu_us / float(count), wall_us: wall_us / float(count) })
    }
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
const SAMPLE_COUNT: usize = 50_000;
