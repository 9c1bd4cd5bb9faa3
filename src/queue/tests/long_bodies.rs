//! Long bodies: wanted in order, held when whole, removed with their marks.

use super::*;
use crate::limits::{BODY_CHUNK_SIZE, EAGER_BODY_SIZE_MAX, WRONG_BODY_TRY_COUNT};
use crate::sync::body::Progress;

const CHUNK: u64 = 32_768;

pub(super) fn send_long(author: &mut Node, to: Id, body_len: u64) {
    let draft = author.draft(to, b"its hash is not looked at here");
    author.queue.stage_body(&draft.salt, 0, Bytes::from(vec![1; 9]));
    author.queue.send(Draft { body: DraftBody::Staged { body_len }, ..draft }).unwrap();
}

/// A reader of: a short message, a long one of two chunks, one of 20 MiB, a short one.
pub(super) fn reader_of_long() -> (Node, Node) {
    let (mut author, mut reader) = author_and_reader();
    author.send(reader.id(), b"short");
    send_long(&mut author, reader.id(), CHUNK + 9);
    send_long(&mut author, reader.id(), 20 << 20);
    author.send(reader.id(), b"short too");
    author.queue.commit().unwrap();
    reader.receive_all(&mut author);
    (author, reader)
}

pub(super) fn hold(
    author: &Node,
    reader: &mut Node,
    seq: u64,
    first: u32,
    sizes: &[usize],
    progress: Progress,
) -> Result<Changes, QueueError> {
    let byte = u8::try_from(seq).unwrap();
    let chunks = sizes.iter().map(|size| Bytes::from(vec![byte; *size])).collect();
    let epoch = author.queue.epoch();
    reader.queue.hold_chunks(&author.id(), epoch, Seq(seq), first, chunks, progress)?;
    Ok(reader.queue.commit().unwrap())
}

fn stored_below(author: &Node, reader: &mut Node) -> u64 {
    reader.queue.opening(&author.id()).unwrap().held[0].receipts[0].stored.below
}

/// Chunks and rows of received bodies in the reader's store.
fn leftovers(reader: &Node) -> usize {
    reader.store.scan(&[0x81]..&[0x82]).count() + reader.store.scan(&[0x28]..&[0x2a]).count()
}

#[test]
fn a_long_body_holds_up_what_follows_until_it_is_whole() {
    let (author, mut reader) = reader_of_long();
    assert_eq!(reader.take(1, 9), [0]);
    assert_eq!(stored_below(&author, &mut reader), 1);
    let wanted = reader.queue.wanted(&author.id()).unwrap();
    let [body] = &wanted[..] else { panic!("only the one under 16 MiB is wanted at once") };
    assert_eq!((body.seq, body.len, body.first_chunk), (Seq(1), CHUNK + 9, 0));

    let changes = hold(&author, &mut reader, 1, 0, &[BODY_CHUNK_SIZE], Progress::More).unwrap();
    assert!(changes.is_empty());
    reader.crash();
    assert_eq!(reader.queue.wanted(&author.id()).unwrap()[0].first_chunk, 1);
    assert_eq!(reader.take(1, 9), [0]);
    let gap = hold(&author, &mut reader, 1, 2, &[9], Progress::Whole);
    assert!(matches!(gap, Err(QueueError::ChunkGap { expected: 1, got: 2 })));
    let changes = hold(&author, &mut reader, 1, 1, &[9], Progress::Whole).unwrap();
    assert_eq!(changes.unread, [author.id()]);
    assert_eq!(changes.marked, [(author.id(), author.queue.epoch())]);
    assert_eq!(stored_below(&author, &mut reader), 2);

    // Over 16 MiB is offered at once, and its reader fetches it.
    let offers = reader.queue.take(ReaderId(1), EVERYTHING, NOW).unwrap();
    assert_eq!(seqs(&offers), [1, 2, 3]);
    assert_eq!([&offers[0].body, &offers[1].body], [&OfferBody::Held, &OfferBody::Long]);
    let epoch = author.queue.epoch();
    let chunk = |queue: &Queue, number| queue.held_chunk(&author.id(), epoch, Seq(1), number);
    assert_eq!(chunk(&reader.queue, 1).unwrap().unwrap(), vec![1; 9]);
    assert_eq!(chunk(&reader.queue, 2).unwrap(), None);
    assert_eq!(reader.queue.wanted(&author.id()).unwrap(), []);
    let missing = reader.queue.missing_body(&author.id(), epoch, Seq(2)).unwrap().unwrap();
    assert_eq!((missing.len, missing.place()), (20 << 20, (epoch, Seq(2))));
    assert_eq!(reader.queue.missing_body(&author.id(), epoch, Seq(1)).unwrap(), None);
}

#[test]
fn a_message_without_its_body_cannot_be_archived_and_is_gone_when_cleared() {
    let (author, mut reader) = reader_of_long();
    let refused = reader.mark(author.id(), 0..=3, Mark::Archived);
    assert!(matches!(refused, Err(QueueError::BodyMissing { seq: Seq(1), .. })));
    assert_eq!(reader.take(1, 9), [0], "nothing was archived");
    hold(&author, &mut reader, 1, 0, &[BODY_CHUNK_SIZE], Progress::More).unwrap();
    reader.mark(author.id(), 1..=1, Mark::Cleared).unwrap();
    assert_eq!(leftovers(&reader), 0);
    assert_eq!(reader.take(1, 9), [2, 3], "what it held up goes on");
    let receipt = reader.queue.opening(&author.id()).unwrap().held.remove(0).receipts.remove(0);
    assert_eq!(receipt.rejected, run(1..2));
    assert!(receipt.archived.ranges.is_empty() && receipt.archived.below == 0);
    // Chunks that come late are dropped.
    hold(&author, &mut reader, 1, 1, &[9], Progress::Whole).unwrap();
    assert_eq!(leftovers(&reader), 0);
    // The author has the other no more.
    reader.queue.mark_gone(&author.id(), author.queue.epoch(), Seq(2)).unwrap();
    reader.queue.mark_gone(&author.id(), author.queue.epoch(), Seq(3)).unwrap();
    reader.queue.commit().unwrap();
    reader.crash();
    assert_eq!(reader.take(1, 9), [0, 3], "only what has no body can be gone");
}

#[test]
fn an_archived_body_stays_and_a_cleared_one_goes() {
    let (author, mut reader) = reader_of_long();
    hold(&author, &mut reader, 1, 0, &[BODY_CHUNK_SIZE, 9], Progress::Whole).unwrap();
    let full = reader.figures(author.id());
    reader.mark(author.id(), 1..=1, Mark::Archived).unwrap();
    let freed = full.unread_bytes - reader.figures(author.id()).unread_bytes;
    assert!((CHUNK + 9..CHUNK + 9 + 255).contains(&freed));
    assert_eq!(leftovers(&reader), 3);
    assert_eq!(
        reader.queue.offer(&author.id(), None, Seq(1)).unwrap().unwrap().body,
        OfferBody::Held
    );
    reader.mark(author.id(), 1..=1, Mark::Cleared).unwrap();
    assert_eq!(leftovers(&reader), 0);
}

#[test]
fn a_large_body_is_removed_over_several_commits_and_across_a_crash() {
    let (author, mut reader) = reader_of_long();
    let count = 640;
    let sizes = vec![BODY_CHUNK_SIZE; 64];
    for first in (0..count).step_by(64) {
        let progress = if first + 64 == count { Progress::Whole } else { Progress::More };
        hold(&author, &mut reader, 2, first, &sizes, progress).unwrap();
    }
    assert_eq!(leftovers(&reader), 641);
    let epoch = author.queue.epoch();
    let place = Place { from: author.id(), epoch, seqs: 2..=2 };
    reader.queue.mark(&[place], Mark::Cleared).unwrap();
    // The batch is full already: nothing but the mark goes with it.
    reader.queue.stage_body(&Salt([1; 16]), 0, Bytes::from(vec![0; 60_000]));
    for number in 1..80 {
        reader.queue.stage_body(&Salt([1; 16]), number, Bytes::from(vec![0; 60_000]));
    }
    reader.queue.commit().unwrap();
    assert!(reader.queue.has_leftovers());
    reader.crash();
    assert!(reader.queue.has_leftovers());
    assert_eq!(leftovers(&reader), 641);
    reader.queue.commit().unwrap();
    assert!(!reader.queue.has_leftovers());
    assert_eq!(leftovers(&reader), 0);
}

#[test]
fn chunks_of_another_body_are_forgotten() {
    let (author, mut reader) = reader_of_long();
    hold(&author, &mut reader, 1, 0, &[BODY_CHUNK_SIZE], Progress::More).unwrap();
    reader.queue.drop_chunks(&author.id(), author.queue.epoch(), Seq(1)).unwrap();
    reader.queue.commit().unwrap();
    assert_eq!(leftovers(&reader), 0);
    assert_eq!(reader.queue.wanted(&author.id()).unwrap()[0].first_chunk, 0);
}

#[test]
fn a_body_that_comes_wrong_again_and_again_is_wanted_no_more_until_the_next_start() {
    let (author, mut reader) = reader_of_long();
    for _ in 0..WRONG_BODY_TRY_COUNT {
        assert_eq!(reader.queue.wanted(&author.id()).unwrap()[0].seq, Seq(1));
        reader.queue.drop_chunks(&author.id(), author.queue.epoch(), Seq(1)).unwrap();
        reader.queue.commit().unwrap();
    }
    assert_eq!(reader.queue.wanted(&author.id()).unwrap(), []);
    reader.crash();
    assert_eq!(reader.queue.wanted(&author.id()).unwrap()[0].seq, Seq(1));
}

#[test]
fn what_is_wanted_stays_within_its_bound() {
    let (mut author, mut reader) = author_and_reader();
    for _ in 0..100 {
        send_long(&mut author, reader.id(), EAGER_BODY_SIZE_MAX);
        send_long(&mut author, reader.id(), EAGER_BODY_SIZE_MAX + 1);
    }
    author.queue.commit().unwrap();
    reader.receive_all(&mut author);
    let wanted = reader.queue.wanted(&author.id()).unwrap();
    assert_eq!(
        wanted.iter().map(|body| body.seq.0).collect::<Vec<_>>(),
        (0..128).step_by(2).collect::<Vec<_>>()
    );
}

#[test]
fn no_body_is_fetched_onto_a_full_disk() {
    let (author, mut reader) = reader_of_long();
    assert_ne!(reader.queue.wanted(&author.id()).unwrap(), []);
    reader.queue.on_disk(0);
    assert_eq!(reader.queue.wanted(&author.id()).unwrap(), []);
    let held = hold(&author, &mut reader, 1, 0, &[BODY_CHUNK_SIZE], Progress::More);
    assert!(matches!(held, Err(QueueError::DiskFull(_))), "{held:?}");
}
