//! Lists: page by page, of every state, changing nothing.

use super::*;
use crate::limits::PAGE_COUNT_MAX;

#[test]
fn a_list_comes_in_pages_and_changes_nothing() {
    let mut reader = Node::new(9);
    let mut authors = [1, 2].map(Node::new);
    for author in &mut authors {
        reader.add(author);
        author.send_numbers(reader.id(), 0..300);
        reader.receive_all(author);
    }
    authors.sort_by_key(Node::id);
    reader.mark(authors[0].id(), 0..=9, Mark::Cleared).unwrap();
    let first = reader.queue.list(ListSet::Unread, None).unwrap();
    assert_eq!(first.items.len(), PAGE_COUNT_MAX);
    assert_eq!((first.items[0].peer, first.items[0].seq), (authors[0].id(), Seq(10)));
    let second = reader.queue.list(ListSet::Unread, first.next.as_ref()).unwrap();
    assert_eq!((second.items[0].peer, second.items[0].seq), (authors[0].id(), Seq(266)));
    assert_eq!(second.items[34].peer, authors[1].id());
    let third = reader.queue.list(ListSet::Unread, second.next.as_ref()).unwrap();
    assert_eq!((third.items.len(), third.next), (590 - 2 * PAGE_COUNT_MAX, None));
    assert_eq!(reader.take(1, 1_000).len(), 590);
}

#[test]
fn a_sent_message_shows_how_far_it_is() {
    let (mut author, mut reader) = author_and_reader();
    author.send_numbers(reader.id(), 0..4);
    reader.receive_all(&mut author);
    author.send_numbers(reader.id(), 4..5);
    reader.mark(author.id(), 1..=1, Mark::Archived).unwrap();
    reader.mark(author.id(), 2..=2, Mark::Rejected).unwrap();
    let receipts = reader.queue.opening(&author.id()).unwrap().held.remove(0).receipts;
    let signed = receipts.into_iter().map(|receipt| receipt.sign(&reader.identity)).collect();
    author.queue.acknowledge(&reader.id(), signed).unwrap();
    author.queue.commit().unwrap();
    let page = author.queue.list(ListSet::Sent, None).unwrap();
    let states: Vec<_> = page.items.iter().map(|item| item.state.to_string()).collect();
    assert_eq!(states, ["stored", "archived", "rejected", "stored", "sent"]);
    let item = &page.items[4];
    assert_eq!((item.peer, item.seq, item.time), (reader.id(), Seq(4), NOW));
    assert_eq!(item.body, OfferBody::Inline(Bytes::copy_from_slice(&4_u64.to_be_bytes())));
    let rest = author.queue.list(ListSet::Sent, Some(&page.items[2].cursor())).unwrap();
    assert_eq!(rest.items.len(), 2);
}

#[test]
fn archived_messages_are_read_in_groups_from_where_the_last_one_ended() {
    let (mut author, mut reader) = author_and_reader();
    author.send_numbers(reader.id(), 0..10);
    reader.receive_all(&mut author);
    reader.mark(author.id(), 1..=5, Mark::Archived).unwrap();
    let budget = TakeBudget { count: 3, size: usize::MAX };
    let (offers, next) = reader.queue.archived(None, budget).unwrap();
    assert_eq!(seqs(&offers), [1, 2, 3]);
    let (offers, next) = reader.queue.archived(next, budget).unwrap();
    assert_eq!(seqs(&offers), [4, 5]);
    let (offers, next) = reader.queue.archived(next, budget).unwrap();
    assert_eq!(seqs(&offers), [0; 0]);
    reader.mark(author.id(), 8..=8, Mark::Archived).unwrap();
    assert_eq!(seqs(&reader.queue.archived(next, budget).unwrap().0), [8]);
}
