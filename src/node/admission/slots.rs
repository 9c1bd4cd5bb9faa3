//! Places for what is under way; past their number the oldest makes room.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Places, each held under a key; some may share one.
#[derive(Debug)]
pub(super) struct Slots<K> {
    count_max: usize,
    /// Of one key. No bound for a key that stands for nobody.
    key_count_max: usize,
    table: Mutex<Table<K>>,
    left: Notify,
}

#[derive(Debug)]
struct Table<K> {
    /// Oldest first.
    slots: VecDeque<Slot<K>>,
    count: u64,
}

#[derive(Debug)]
struct Slot<K> {
    number: u64,
    key: K,
    evicted: CancellationToken,
}

/// A place that is held; dropped, it is free.
#[derive(Debug)]
pub(in crate::node) struct Held<K: SlotKey> {
    slots: Arc<Slots<K>>,
    number: u64,
    evicted: CancellationToken,
}

/// What places are held under.
pub(in crate::node) trait SlotKey: Clone + PartialEq {
    /// Whether those under it are one and the same source, which has a bound of its own.
    fn is_one(&self) -> bool;
}

impl<K: SlotKey> Slots<K> {
    /// `count_max` places, of which one key may hold `key_count_max`.
    pub(super) fn new(count_max: usize, key_count_max: usize) -> Arc<Self> {
        let table = Mutex::new(Table { slots: VecDeque::new(), count: 0 });
        Arc::new(Self { count_max, key_count_max, table, left: Notify::new() })
    }

    /// A place; the oldest of the same key, or the oldest of all, makes room if need be.
    pub(super) fn take(self: &Arc<Self>, key: K) -> Held<K> {
        let table = self.lock();
        if let Some(full) = self.full(&table, &key) {
            let mut oldest = table.staying();
            oldest.find(|slot| full == Full::All || slot.key == key).map(Slot::evict);
        }
        self.hold(table, key)
    }

    /// A place, if one is free.
    pub(super) fn take_free(self: &Arc<Self>, key: K) -> Option<Held<K>> {
        let table = self.lock();
        let is_free = self.full(&table, &key).is_none();
        is_free.then(|| self.hold(table, key))
    }

    /// Evicts all under a key, and returns when they are gone.
    pub(super) async fn clear(&self, key: K) {
        loop {
            let mut left = pin!(self.left.notified());
            left.as_mut().enable();
            let of_key = |slot: &&Slot<K>| slot.key == key;
            let under_way = self.lock().slots.iter().filter(of_key).map(Slot::evict).count();
            if under_way == 0 {
                return;
            }
            left.await;
        }
    }

    fn full(&self, table: &Table<K>, key: &K) -> Option<Full> {
        let of_key = || table.staying().filter(|slot| slot.key == *key).count();
        if key.is_one() && of_key() >= self.key_count_max {
            return Some(Full::Key);
        }
        (table.staying().count() >= self.count_max).then_some(Full::All)
    }

    fn hold(self: &Arc<Self>, mut table: MutexGuard<'_, Table<K>>, key: K) -> Held<K> {
        let (number, evicted) = (table.count, CancellationToken::new());
        table.count += 1;
        table.slots.push_back(Slot { number, key, evicted: evicted.clone() });
        Held { slots: Arc::clone(self), number, evicted }
    }

    fn lock(&self) -> MutexGuard<'_, Table<K>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What there is no more room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Full {
    Key,
    All,
}

impl<K> Table<K> {
    /// Those that were not told to go.
    fn staying(&self) -> impl Iterator<Item = &Slot<K>> {
        self.slots.iter().filter(|slot| !slot.evicted.is_cancelled())
    }
}

impl<K> Slot<K> {
    fn evict(&self) {
        self.evicted.cancel();
    }
}

impl<K: SlotKey> Held<K> {
    /// Does `work`; `None` when another needed the place before it was done.
    pub(in crate::node) async fn run<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        self.evicted.run_until_cancelled(work).await
    }
}

impl<K: SlotKey> Drop for Held<K> {
    fn drop(&mut self) {
        self.slots.lock().slots.retain(|slot| slot.number != self.number);
        self.slots.left.notify_waiters();
    }
}

impl SlotKey for () {
    fn is_one(&self) -> bool {
        false
    }
}

impl SlotKey for crate::types::Id {
    fn is_one(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;
    use crate::crypto::Identity;
    use crate::types::Id;

    fn id(number: u8) -> Id {
        Identity::from_seed(&[number; 32]).id()
    }

    async fn is_evicted(held: &Held<Id>) -> bool {
        held.run(ready(())).await.is_none()
    }

    #[tokio::test]
    async fn the_oldest_of_a_key_makes_room_before_the_oldest_of_all() {
        let slots = Slots::new(3, 2);
        let held = [1, 2, 2].map(|number| slots.take(id(number)));
        let third = slots.take(id(2));
        assert!(is_evicted(&held[1]).await && !is_evicted(&held[0]).await);
        let other = slots.take(id(3));
        assert!(is_evicted(&held[0]).await && !is_evicted(&held[2]).await);
        assert!(!is_evicted(&third).await && !is_evicted(&other).await);
        assert!(slots.take_free(id(4)).is_none());
        drop(other);
        assert!(slots.take_free(id(4)).is_some());
    }

    #[tokio::test]
    async fn who_clears_a_key_waits_until_its_work_is_dropped() {
        let slots = Slots::new(9, 9);
        let (held, other) = (slots.take(id(1)), slots.take(id(2)));
        let work = tokio::spawn(async move { held.run(pending::<()>()).await });
        slots.clear(id(1)).await;
        assert_eq!(work.await.unwrap(), None);
        assert!(!is_evicted(&other).await);
    }
}
