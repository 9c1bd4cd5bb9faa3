//! Blocks written anew: the same log, with less in it.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::limits::IDEMPOTENCY_AGE_MS_MAX;

const NOW: UnixMs = UnixMs(1_700_000_000_000);

impl World {
    /// A pass over all blocks that drops the entries of `useless`, by index; says how many bytes it
    /// freed.
    fn rewrite(&mut self, useless: &BTreeSet<u64>, worth: Worth, now: UnixMs) -> u64 {
        self.flush();
        let (mut next, mut freed) = (Some(0), 0);
        while let Some(from) = next {
            let (entries, end) = (&self.entries, self.log.indexed());
            let is_useless = |recipient: &Recipient, seq: Seq| {
                let is_it = |(_, entry): &(u64, &Entry)| {
                    entry.recipient == *recipient && entry.seq == seq.0
                };
                let (index, _) = (0..).zip(entries).find(is_it).unwrap();
                Ok::<_, LogError>(useless.contains(&index))
            };
            let step = RewriteStep { from, end, worth, now, lapsed: UnixMs(0) };
            let mut batch = Batch::new();
            let rewritten = self.log.rewrite(&self.store, &step, is_useless, &mut batch).unwrap();
            let before = stored_size(&self.store);
            for mut body in rewritten.abandoned {
                body.mark(&mut batch);
                assert!(body.remove(&mut batch, usize::MAX));
            }
            self.store.commit(batch).unwrap();
            self.log.on_rewritten();
            assert!(stored_size(&self.store) <= before);
            freed += rewritten.freed;
            next = rewritten.next;
        }
        self.look_again();
        freed
    }

    /// Takes over where blocks end, and which entries are gone.
    fn look_again(&mut self) {
        self.ends.clear();
        for pair in self.store.scan(layout::own_blocks(EPOCH).as_range()) {
            let (key, bytes) = pair.unwrap();
            let block = blocks::parse(&key, bytes).unwrap();
            self.ends.push(block.end());
            for entry in block.entries() {
                let at = usize::try_from(entry.index().0).unwrap();
                self.entries[at].gone = entry.is_gone();
            }
        }
    }

    fn gone(&self) -> BTreeSet<u64> {
        (0..).zip(&self.entries).filter(|(_, entry)| entry.gone).map(|(index, _)| index).collect()
    }

    /// Everything that a log is asked for, against the model.
    fn check_all(&mut self) {
        // Nobody gets a gone entry to everyone.
        for entry in &mut self.entries {
            if entry.gone && entry.recipient == Recipient::Everyone {
                entry.recipient = recipient(9);
            }
        }
        for reader in 0..5 {
            self.check_chunks(recipient(reader), 30_000, &[]);
            self.check_chunks(recipient(reader), 30_000, &[3, 70, 300]);
        }
        for length in 0..=self.log.length() {
            assert_eq!(self.log.root_at(&self.store, length).unwrap(), Some(self.root(length)));
        }
    }

    /// What a check of the whole log finds, but for the bodies that these tests never made.
    fn faults(&self) -> Vec<LogFault> {
        struct Faults(Vec<LogFault>);
        impl LogObserver for Faults {
            fn entry(&mut self, _: &Recipient, _: Seq, _: Hash) {}

            fn long_body(&mut self, _: &Salt) {}

            fn found(&mut self, _: Bytes, fault: LogFault) {
                self.0.push(fault);
            }
        }
        let mut faults = Faults(Vec::new());
        check(&self.store, author(), EPOCH, &mut faults).unwrap();
        faults.0
    }
}

fn stored_size(store: &MemoryStore) -> usize {
    store
        .scan(&[0]..&[0xff])
        .map(|pair| pair.map(|(key, row)| key.len() + row.len()).unwrap())
        .sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn a_log_without_its_useless_entries_serves_and_verifies_as_before(
        batches in prop::collection::vec(drafts(), 1..20),
        useless in prop::collection::vec(any::<prop::sample::Index>(), 0..400),
        more in prop::collection::vec(drafts(), 0..6),
    ) {
        let mut world = World::new();
        let inline = |specs: &[(u8, usize)]| {
            drafts_of(&specs.iter().map(|(to, len)| (*to, *len % 4_097)).collect::<Vec<_>>())
        };
        batches.iter().for_each(|specs| drop(world.append(&inline(specs))));
        let count = world.entries.len();
        let useless: BTreeSet<_> =
            useless.iter().map(|at| u64::try_from(at.index(count)).unwrap()).collect();
        world.rewrite(&useless, Worth::Half, NOW);
        prop_assert!(world.gone().is_subset(&useless));
        prop_assert_eq!(world.faults(), []);
        more.iter().for_each(|specs| drop(world.append(&inline(specs))));
        world.check_entries(0..1_000);
        world.rewrite(&useless, Worth::Any, NOW);
        prop_assert_eq!(world.gone(), useless.clone());
        prop_assert_eq!(world.faults(), []);
        for seqs in [0..1_000, 5..60, 100..101] {
            world.check_entries(seqs);
        }
        world.reopen();
        world.check_entries(0..1_000);
        world.check_all();
        prop_assert_eq!(world.rewrite(&useless, Worth::Any, NOW), 0, "a second pass finds nothing");
    }
}

#[test]
fn single_sends_that_are_done_with_become_few_blocks_of_hashes() {
    let mut world = World::new();
    for _ in 0..1_000 {
        world.append(&[draft(1, 117)]);
    }
    let before = stored_size(&world.store);
    let all: BTreeSet<_> = (0..1_000).collect();
    let freed = world.rewrite(&all, Worth::Half, NOW);
    let after = stored_size(&world.store);
    assert_eq!(world.ends, [256, 512, 768, 1_000]);
    assert!(after <= 40 * 1_000 + 1_000, "{after} of {before}");
    assert!(usize::try_from(freed).unwrap() <= before - after);
    assert_eq!(world.faults(), []);
    world.check_all();
}

#[test]
fn a_few_useless_entries_wait_until_everything_is_looked_at() {
    let mut world = World::new();
    world.append(&vec![draft(1, 100); 256]);
    let few: BTreeSet<_> = (0..20).collect();
    assert_eq!(world.rewrite(&few, Worth::Half, NOW), 0);
    assert_ne!(world.rewrite(&few, Worth::Any, NOW), 0);
    assert_eq!(world.gone(), few);
    world.check_all();
}

#[test]
fn a_repeated_send_finds_the_first_one_for_a_day_although_its_body_is_gone() {
    let mut world = World::new();
    let first = world.append(&[keyed(1, b"once"), draft(1, 10)])[0];
    let both: BTreeSet<_> = [0, 1].into();
    world.rewrite(&both, Worth::Any, UnixMs(NOW.0 + IDEMPOTENCY_AGE_MS_MAX));
    assert_eq!(world.gone(), [1].into());
    let contents = |world: &mut World| {
        let entries = world.log.entries(&world.store, &recipient(1), 0..2).unwrap();
        entries.into_iter().map(|entry| entry.content).collect::<Vec<_>>()
    };
    let [Content::Bare { .. }, Content::Gone { .. }] = &contents(&mut world)[..] else {
        panic!("the header stays, with the time of the send");
    };
    world.reopen();
    assert_eq!(world.append_once(keyed(1, b"once")), first);
    // Whoever reads the log gets its hash alone.
    world.entries[0].gone = true;
    world.check_chunks(recipient(1), 1_000, &[]);
    assert_eq!(world.faults(), []);
    world.rewrite(&both, Worth::Any, UnixMs(NOW.0 + IDEMPOTENCY_AGE_MS_MAX + 1));
    assert_eq!(world.gone(), both);
}

#[test]
fn a_long_body_goes_with_its_entry_and_what_a_crash_left_of_it_at_the_next_open() {
    let mut world = World::new();
    let long = draft(1, 100_000);
    let mut batch = Batch::new();
    for number in 0..4 {
        stage(&mut batch, &long.salt, number, vec![7; 9]);
    }
    world.store.commit(batch).unwrap();
    world.append(std::slice::from_ref(&long));
    world.flush();
    let chunks =
        |world: &World| world.store.scan(layout::own_chunks(&long.salt).as_range()).count();
    let step = RewriteStep { from: 0, end: 1, worth: Worth::Half, now: NOW, lapsed: UnixMs(0) };
    let mut batch = Batch::new();
    let all = |_: &Recipient, _| Ok::<_, LogError>(true);
    let rewritten = world.log.rewrite(&world.store, &step, all, &mut batch).unwrap();
    assert!(rewritten.freed > 100_000);
    let [body] = &rewritten.abandoned[..] else { panic!("{rewritten:?}") };
    assert_eq!(body.size(), 100_000);
    world.store.commit(batch).unwrap();
    assert_eq!(chunks(&world), 4);
    let mut batch = Batch::new();
    assert!(!body.clone().remove(&mut batch, 1), "a full batch takes no more");
    world.store.commit(batch).unwrap();
    assert_eq!(chunks(&world), 3, "the last ones go first");
    sweep_staged(&world.store).unwrap();
    assert_eq!(chunks(&world), 0);
    world.reopen();
    assert_eq!(world.faults(), []);
}
