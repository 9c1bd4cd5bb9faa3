//! What readers get.

use proptest::prelude::*;

use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn every_chunk_folds_from_its_peaks_to_the_root(
        batches in prop::collection::vec(drafts(), 1..12),
        bytes in 1usize..40_000,
        checkpoints in prop::collection::btree_set(1u64..500, 0..4),
    ) {
        let mut world = World::new();
        batches.iter().for_each(|specs| drop(world.append(&drafts_of(specs))));
        let checkpoints: Vec<_> = checkpoints.into_iter().collect();
        for reader in 0..5 {
            world.check_chunks(recipient(reader), bytes, &[]);
            world.check_chunks(recipient(reader), bytes, &checkpoints);
        }
        for length in 0..=world.log.length() {
            prop_assert_eq!(world.log.root_at(&world.store, length).unwrap(), Some(world.root(length)));
        }
        let past = world.log.length() + 1;
        prop_assert_eq!(world.log.root_at(&world.store, past).unwrap(), None);
    }

    #[test]
    fn any_items_fold_or_are_refused(
        start in prop_oneof![0u64..20, any::<u64>(), u64::MAX - 20..=u64::MAX],
        room in prop_oneof![0u64..20, any::<u64>()],
        levels in prop::collection::vec(prop::option::of(0u8..70), 0..20),
    ) {
        let hashes = vec![Hash([9; 32]); usize::try_from(start.count_ones()).unwrap()];
        let peaks = Peaks::from_parts(start, hashes).unwrap();
        let items = levels.into_iter().map(|level| match level {
            Some(level) => Item::Skip { level, hash: Hash([level; 32]) },
            None => Item::Gone { leaf: Hash([0; 32]) },
        });
        let end = start.saturating_add(room);
        if let Ok(folded) = fold(&peaks, &author(), EPOCH, end, items) {
            prop_assert_eq!(folded.peaks.length(), end);
        }
    }
}

#[test]
fn a_dense_log_is_served_in_full_chunks_of_slices() {
    let mut world = World::new();
    let drafts: Vec<_> = (0..2_000).map(|_| draft(1, 117)).collect();
    world.append(&drafts);
    assert_eq!(world.ends.len(), 8);
    let chunk = world.log.chunk(&world.store, &recipient(1), 0, &WHOLE).unwrap().unwrap();
    assert_eq!(chunk.to, 1_024);
    assert!(chunk.items.iter().all(|item| matches!(item, Item::Entry { body: Some(_), .. })));
    assert_eq!(world.check_chunks(recipient(1), ADVANCE_SIZE_MAX, &[]), 2);
}

#[test]
fn a_gap_costs_two_hashes_a_level_at_most() {
    let mut world = World::new();
    world.append(&[draft(1, 5)]);
    for _ in 0..40 {
        world.append(&vec![draft(2, 5); 100]);
    }
    world.append(&[draft(1, 5)]);
    let chunk = world.log.chunk(&world.store, &recipient(1), 0, &WHOLE).unwrap().unwrap();
    assert_eq!(chunk.to, 4_002);
    assert!(chunk.items.len() <= 2 + 2 * 12);
    world.check_chunks(recipient(1), ADVANCE_SIZE_MAX, &[]);
    let nothing = world.log.chunk(&world.store, &recipient(1), 4_002, &WHOLE).unwrap();
    assert_eq!(nothing, None);
    assert_eq!(world.log.chunk(&world.store, &recipient(1), u64::MAX, &WHOLE).unwrap(), None);
}

#[test]
fn a_checkpoint_is_reached_without_an_entry() {
    let mut world = World::new();
    world.append(&vec![draft(2, 5); 300]);
    let budget = ChunkBudget { checkpoints: &[100, 299, 301], ..WHOLE };
    let lengths = [0, 100, 299].map(|from| {
        let chunk = world.log.chunk(&world.store, &recipient(1), from, &budget).unwrap();
        chunk.map(|chunk| chunk.to)
    });
    assert_eq!(lengths, [Some(100), Some(299), None]);
    world.check_chunks(recipient(1), 1, &[100, 299, 301]);
}

#[test]
fn a_gone_entry_goes_as_its_leaf_to_its_reader_alone() {
    let mut world = World::new();
    let to = [1, 2, 0, 1, 1, 2, 1];
    world.append(&to.map(|to| draft(to, 20)));
    let key = layout::own_block(EPOCH, Index(6));
    let block = Block::parse(Index(6), world.store.get(&key).unwrap().unwrap()).unwrap();
    let mut builder = BlockBuilder::new(Index(0));
    for (entry, model) in block.entries().zip(&mut world.entries) {
        model.gone = [2, 3, 5].contains(&entry.index().0);
        let content = if model.gone { Content::Gone { leaf: model.leaf } } else { entry.content() };
        builder.push(&model.recipient, Seq(model.seq), None, &content);
    }
    let mut batch = Batch::new();
    batch.put(key, builder.finish(&block.root()).bytes);
    world.store.commit(batch).unwrap();
    world.reopen();
    // The gone entry to everyone is nobody's: it is skipped like those of others.
    world.entries[2].recipient = recipient(3);
    for reader in [1, 2] {
        world.check_chunks(recipient(reader), 1_000, &[]);
    }
}
