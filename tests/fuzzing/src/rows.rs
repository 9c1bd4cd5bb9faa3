//! A node on a store whose rows were harmed, where an engine's own checksums noticed nothing.

use peermq::crypto::Identity;
use peermq::limits::ADVANCE_SIZE_MAX;
use peermq::log::Worth;
use peermq::queue::{
    Intent, Keep, ListSet, Mark, Pass, Place, Queue, QueueError, ReaderId, Repair, TakeBudget,
};
use peermq::types::{Id, Seq};
use peermq_storage::{Batch, BatchError, FaultyDisk, KEY_SIZE_MAX, Store, StoreError};

use crate::choices::Choices;
use crate::node::{NOW, findings, images};

/// Harms some rows, and does with the store all that a node does. It works or says what is damaged;
/// so it does again once it is repaired.
pub fn rows(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let (seed, disk) = match choices.below(2) {
        0 => (1, images().author.copy()),
        _ => (2, images().reader.copy()),
    };
    let (me, peer) = match seed {
        1 => (id(1), id(2)),
        _ => (id(2), id(1)),
    };
    {
        let store = disk.open().expect("no other handle lives").store;
        for _ in 0..1 + choices.below(4) {
            harm(&*store, &mut choices);
        }
    }
    // It may say of anything that it is damaged.
    let _ = use_all(&disk, me, peer);
    mend(&disk, me);
    use_all(&disk, me, peer).expect("what a check calls sound works");
}

fn id(seed: u8) -> Id {
    Identity::from_seed(&[seed; 32]).id()
}

/// Changes one row.
fn harm(store: &dyn Store, choices: &mut Choices<'_>) {
    let all = store.scan(&[]..&[u8::MAX; KEY_SIZE_MAX]);
    let all: Vec<_> = all.map(|pair| pair.expect("a store in memory reads")).collect();
    let Some((key, value)) = all.get(choices.below(all.len().max(1))) else { return };
    let mut batch = Batch::new();
    let mut harmed = value.to_vec();
    match choices.below(6) {
        0 | 1 => {
            choices.harm(&mut harmed);
            batch.put(key.clone(), harmed);
        }
        2 => {
            harmed.truncate(choices.below(harmed.len() + 1));
            harmed.extend_from_slice(choices.bytes(64));
            batch.put(key.clone(), harmed);
        }
        3 => {
            let mut other = key.to_vec();
            choices.harm(&mut other);
            batch.remove(key.clone());
            batch.put(other, value.clone());
        }
        4 => {
            let (_, other) = &all[choices.below(all.len())];
            batch.put(key.clone(), other.clone());
        }
        _ => batch.remove(key.clone()),
    }
    match store.commit(batch) {
        // A harmed key may be one that stores have for themselves.
        Err(StoreError::Batch(BatchError::Hidden)) => {}
        committed => committed.expect("it is within bounds"),
    }
}

/// Everything that a node does with its store.
fn use_all(disk: &FaultyDisk, me: Id, peer: Id) -> Result<(), QueueError> {
    let store = disk.open().expect("no other handle lives").store;
    let mut queue = Queue::open(store, me, NOW)?;
    use_queue(&mut queue, &peer)?;
    queue.close()
}

fn use_queue(queue: &mut Queue, peer: &Id) -> Result<(), QueueError> {
    let epoch = queue.epoch();
    for set in [ListSet::Unread, ListSet::Archived, ListSet::Sent] {
        let mut after = None;
        for _ in 0..8 {
            let page = queue.list(set, after.as_ref())?;
            after = page.next;
        }
    }
    queue.figures()?;
    let opening = queue.opening(peer)?;
    for life in &opening.lives {
        queue.chunk(peer, life.epoch, 0, &[], ADVANCE_SIZE_MAX)?;
        queue.chunk(peer, life.epoch, life.length / 2, &[life.length], 2_000)?;
        queue.acked(peer, life.epoch)?;
        queue.sent_leaves(peer, life.epoch, 0..100)?;
    }
    for held in &opening.held {
        queue.receipts(peer, held.epoch)?;
        queue.offer(peer, Some(held.epoch), Seq(28))?;
        queue.held_chunk(peer, held.epoch, Seq(28), 0)?;
    }
    queue.wanted(peer)?;
    match queue.own_body_chunks(peer, epoch, Seq(28), 0..4) {
        Ok(_) | Err(QueueError::Removed(_)) => {}
        Err(error) => return Err(error),
    }
    // A receipt that is not held is an answer too.
    let _ = queue.receipted(peer, epoch, Seq(1));
    let budget = TakeBudget { count: 50, size: usize::MAX };
    let offers = queue.take(ReaderId(1), budget, NOW)?;
    for offer in offers.iter().take(3) {
        let place = Place { from: offer.from, epoch: offer.epoch, seqs: offer.seq.0..=offer.seq.0 };
        queue.mark(&[place], Mark::Cleared)?;
    }
    queue.commit()?;
    let mut pass = Pass::new(Worth::Any, Intent::Free, Keep::Archived);
    for _ in 0..PASS_STEP_COUNT_MAX {
        if pass.is_over() {
            break;
        }
        pass = queue.reclaim(pass, NOW)?;
        queue.commit()?;
    }
    let _ = queue.forks();
    Ok(())
}

/// Repairs, as often as a patient user would, leave nothing that a check finds.
fn mend(disk: &FaultyDisk, me: Id) {
    let store = disk.open().expect("no other handle lives").store;
    for _ in 0..REPAIR_COUNT_MAX {
        let found = findings(&*store, &me);
        if found.is_empty() {
            return;
        }
        let plan = Repair::plan(&*store, &me, &found).expect("a store in memory reads");
        plan.apply(&*store, NOW).expect("what is left can be mended");
    }
    let left = findings(&*store, &me);
    assert!(left.is_empty(), "after {REPAIR_COUNT_MAX} repairs there is {left:?}");
}

/// What one repair makes readable may show the next fault, but not for ever.
const REPAIR_COUNT_MAX: usize = 3;
/// A pass over so small a store is over sooner.
const PASS_STEP_COUNT_MAX: usize = 100;
