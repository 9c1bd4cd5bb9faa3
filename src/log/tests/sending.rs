//! What is appended, and what of it an open finds again.

use proptest::prelude::*;

use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn a_log_reopened_at_any_point_is_the_same(
        batches in prop::collection::vec((drafts(), any::<bool>(), any::<bool>()), 1..12),
        seqs in (0u64..60, 0u64..60),
    ) {
        let mut world = World::new();
        for (specs, flush, reopen) in &batches {
            world.append(&drafts_of(specs));
            if *flush {
                world.flush();
            }
            if *reopen {
                let before = world.log.length();
                world.reopen();
                prop_assert_eq!(world.log.length(), before);
            }
            world.check_entries(seqs.0..seqs.0 + seqs.1);
        }
        let length = world.log.length();
        prop_assert_eq!(world.log.root_at(&world.store, length).unwrap(), Some(world.root(length)));
        world.check_entries(0..u64::MAX);
        world.check_chunks(recipient(1), 10_000, &[]);
    }
}

#[test]
fn commits_of_one_entry_are_found_through_the_index() {
    let mut world = World::new();
    for number in 0..900_u64 {
        let to = u8::try_from(number % 7 % 3).unwrap();
        world.append(&[draft(to, 5)]);
        if number % 211 == 0 {
            world.reopen();
        }
    }
    let rows = layout::outbox_rows_from(EPOCH, &recipient(1), Index(0));
    assert_eq!(world.store.scan(rows.as_range()).count(), 3);
    for reader in 0..4 {
        world.check_chunks(recipient(reader), 2_000, &[]);
    }
    for start in (0..420).step_by(17) {
        world.check_entries(start..start + 5);
    }
    world.flush();
    world.reopen();
    world.check_entries(0..1_000);
    world.check_entries(299..302);
    for to in 0..4 {
        let count = world.entries.iter().filter(|entry| entry.recipient == recipient(to)).count();
        let next = world.log.next_seq(&world.store, &recipient(to)).unwrap();
        assert_eq!(next, Seq(u64::try_from(count).unwrap()));
    }
}

#[test]
fn a_repeated_key_gives_the_first_place() {
    let mut world = World::new();
    let drafts = [keyed(1, b"a"), keyed(1, b"b"), keyed(1, b"a"), keyed(2, b"a")];
    let places = drafts.map(|draft| world.append_once(draft));
    assert_eq!(places[0], places[2]);
    assert_eq!(world.log.length(), 3);
    world.append(&vec![draft(1, 10); 600]);
    world.reopen();
    assert_eq!(world.append_once(keyed(1, b"b")), places[1]);
    assert_eq!(world.append_once(keyed(1, b"c")).seq, Seq(602));
    let hash = IdempotencyHash::new(&recipient(1), b"a").unwrap();
    let day = 24 * 60 * 60 * 1_000;
    for (age, expected) in [(day, Some(places[0])), (day + 1, None)] {
        let time = UnixMs(1_700_000_000_000 + age);
        for reopen in [false, true] {
            if reopen {
                world.reopen();
            }
            let found = world.log.idempotent(&world.store, &recipient(1), hash, time).unwrap();
            assert_eq!(found, expected);
        }
    }
    assert_eq!(IdempotencyHash::new(&recipient(1), &[0; 65]), None);
}

#[test]
fn a_key_is_forgotten_after_its_count_of_sends() {
    let mut world = World::new();
    let first = world.append_once(keyed(1, b"a"));
    let others = vec![draft(1, 0); 4_096];
    (0..15).for_each(|_| drop(world.append(&others)));
    world.append(&others[1..]);
    assert_eq!(world.append_once(keyed(1, b"a")), first);
    world.append(&others[..1]);
    let second = world.append_once(keyed(1, b"a"));
    assert_eq!(second.seq, Seq(65_537));
    assert_eq!(world.append_once(keyed(1, b"a")), second);
    world.reopen();
    assert_eq!(world.append_once(keyed(1, b"a")), second);
}

#[test]
fn many_recipients_with_keys_do_not_fill_the_memory() {
    let mut world = World::new();
    let to = |number: u8| Draft {
        recipient: Recipient::Peer([number; 32]),
        idempotency: IdempotencyHash::new(&Recipient::Peer([number; 32]), b"k"),
        ..draft(1, 10)
    };
    let mut append_all =
        || (0..100).map(|number| world.append_once(to(number))).collect::<Vec<_>>();
    let places = append_all();
    assert_eq!(append_all(), places);
    assert_eq!(world.log.length(), 100);
}

#[test]
fn staged_chunks_stay_when_an_entry_claims_them_and_go_when_none_does() {
    let mut world = World::new();
    let [kept, lost] = [1, 2].map(|to| draft(to, 40_000));
    let mut batch = Batch::new();
    for salt in [&kept.salt, &lost.salt] {
        for number in 0..2 {
            stage(&mut batch, salt, number, vec![7; 20_000]);
        }
    }
    world.store.commit(batch).unwrap();
    world.append(std::slice::from_ref(&kept));
    assert_eq!(sweep_staged(&world.store).unwrap(), 2);
    assert_eq!(sweep_staged(&world.store).unwrap(), 0);
    for number in 0..3 {
        let held = |salt| staged_chunk(&world.store, salt, number).unwrap().is_some();
        assert_eq!(held(&kept.salt), number < 2);
        assert!(!held(&lost.salt));
    }
}

#[test]
fn a_draft_of_the_wrong_size_changes_nothing() {
    let mut world = World::new();
    world.append(&[draft(1, 1)]);
    let body = DraftBody::Inline(vec![0; 4_097].into());
    let wrong = [
        Draft { body, ..draft(1, 0) },
        Draft { body: DraftBody::Staged { body_len: 4_096 }, ..draft(1, 0) },
        Draft { body: DraftBody::Staged { body_len: u64::MAX }, ..draft(1, 0) },
    ];
    for wrong in wrong {
        let mut batch = Batch::new();
        let refused = world.log.append(&world.store, &[draft(1, 1), wrong], &mut batch);
        assert!(matches!(refused, Err(LogError::BodySize(_))));
        assert!(batch.is_empty());
    }
    assert_eq!(world.append(&[draft(1, 1)])[0], Appended { index: Index(1), seq: Seq(1) });
}

#[test]
fn lives_of_a_log_are_apart() {
    let mut world = World::new();
    world.append(&[draft(1, 5)]);
    let later = Log::open(&world.store, author(), Epoch(EPOCH.0 + 1)).unwrap();
    assert_eq!(later.length(), 0);
    assert_eq!((later.author(), later.epoch()), (author(), Epoch(EPOCH.0 + 1)));
    assert_eq!(Log::open(&world.store, author(), EPOCH).unwrap().length(), 1);
}
