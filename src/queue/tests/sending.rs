//! Sends: places known before the commit, repeats found, recipients refused.

use super::*;

fn keyed(node: &mut Node, to: Id, key: &[u8]) -> Draft {
    let draft = node.draft(to, b"text");
    let idempotency = IdempotencyHash::new(&draft.recipient, key);
    Draft { idempotency, ..draft }
}

#[test]
fn places_are_known_before_the_commit_and_stay_after_a_crash() {
    let (mut author, reader) = author_and_reader();
    let (to, other) = (reader.id(), Node::new(3).id());
    assert_eq!([0, 1].map(|_| author.send(to, b"a").seq), [Seq(0), Seq(1)]);
    assert_eq!(author.send(other, b"b").seq, Seq(0));
    author.queue.commit().unwrap();
    assert_eq!(author.send(to, b"lost").seq, Seq(2));
    author.crash();
    assert_eq!(author.send(to, b"c").seq, Seq(2));
    let changes = author.queue.commit().unwrap();
    let life = Life { epoch: author.queue.epoch(), length: 4 };
    assert_eq!(changes.grown, [(to, life)]);
    assert!(author.queue.commit().unwrap().is_empty());
}

#[test]
fn a_send_repeated_with_its_key_gives_the_first_place() {
    let mut author = Node::new(1);
    let (to, other) = (Node::new(2).id(), Node::new(3).id());
    let send = |author: &mut Node, to, key: &[u8]| {
        let draft = keyed(author, to, key);
        let sent = author.queue.send(draft).unwrap();
        (sent.seq.0, sent.is_repeat)
    };
    assert_eq!(send(&mut author, to, b"one"), (0, false));
    assert_eq!(send(&mut author, to, b"one"), (0, true), "within one group");
    assert_eq!(send(&mut author, to, b"two"), (1, false));
    assert_eq!(send(&mut author, other, b"one"), (0, false), "keys are per recipient");
    author.queue.commit().unwrap();
    assert_eq!(send(&mut author, to, b"two"), (1, true));
    author.crash();
    assert_eq!(send(&mut author, to, b"one"), (0, true));
    assert_eq!(send(&mut author, to, b"three"), (2, false));
    author.queue.commit().unwrap();
    assert_eq!(author.queue.length(), 4);
}

#[test]
fn the_chunks_of_a_repeated_long_body_go() {
    let mut author = Node::new(1);
    let to = Node::new(2).id();
    let long = |author: &mut Node| {
        let draft = keyed(author, to, b"key");
        author.queue.stage_body(&draft.salt, 0, Bytes::from(vec![7; 5_000]));
        Draft { body: DraftBody::Staged { body_len: 5_000 }, ..draft }
    };
    for (is_repeat, salt) in [(false, 1_u128), (true, 2)] {
        let draft = long(&mut author);
        assert_eq!(author.queue.send(draft).unwrap().is_repeat, is_repeat);
        author.queue.commit().unwrap();
        let salt = Salt(salt.to_be_bytes());
        let chunk = author.store.get(&layout::own_chunk(&salt, 0)).unwrap();
        assert_eq!(chunk.is_some(), !is_repeat);
        assert_eq!(author.store.get(&layout::staging(&salt)).unwrap(), None);
    }
    let epoch = author.queue.epoch();
    let held =
        |queue: &mut Queue, to, seq| queue.own_body_chunks(to, epoch, Seq(seq), 0..9).unwrap();
    assert_eq!(held(&mut author.queue, &to, 0), [vec![7; 5_000]]);
    assert_eq!(held(&mut author.queue, &to, 1), Vec::<Bytes>::new());
    assert_eq!(held(&mut author.queue, &Node::new(3).id(), 0), Vec::<Bytes>::new());
    author.queue.remove_peer(&to).unwrap();
    let refused = author.queue.own_body_chunks(&to, epoch, Seq(0), 0..9).unwrap_err();
    assert!(matches!(refused, QueueError::Removed(_)), "no more is what gone messages say");
}

#[test]
fn what_cannot_be_sent_is_refused_and_nothing_else_is_lost() {
    let mut author = Node::new(1);
    let (me, to, removed) = (author.id(), Node::new(2).id(), Node::new(3).id());
    author.queue.remove_peer(&removed).unwrap();
    author.send(to, b"kept");
    let mut refused = |change: &dyn Fn(&mut Draft)| {
        let mut draft = author.draft(to, b"text");
        change(&mut draft);
        author.queue.send(draft).unwrap_err()
    };
    let peer = |id: Id| Recipient::Peer(*id.as_bytes());
    assert!(matches!(refused(&|d| d.recipient = peer(removed)), QueueError::Removed(_)));
    assert!(matches!(refused(&|d| d.recipient = peer(me)), QueueError::OwnId));
    assert!(matches!(refused(&|d| d.recipient = Recipient::Everyone), QueueError::NotAPeer));
    let small_order = Recipient::Peer([0; 32]);
    assert!(matches!(refused(&|d| d.recipient = small_order), QueueError::Recipient(_)));
    let mut negative = *to.as_bytes();
    negative[31] ^= 0x80;
    let negative = Recipient::Peer(negative);
    assert!(matches!(refused(&|d| d.recipient = negative), QueueError::SameImage { .. }));
    let long = DraftBody::Inline(Bytes::from(vec![0; 5_000]));
    assert!(matches!(refused(&|d| d.body = long.clone()), QueueError::Log(_)));
    author.queue.commit().unwrap();
    assert_eq!(author.queue.length(), 1);
    author.queue.add_peer(&removed, None).unwrap();
    author.send(removed, b"again");
    author.queue.check_recipient(&removed).unwrap();
}

#[test]
fn an_epoch_is_chosen_once() {
    let mut author = Node::new(1);
    assert_eq!(author.queue.epoch(), Epoch(NOW.0 / 1_000));
    let later = UnixMs(NOW.0 + 5_000);
    author.queue =
        Queue::open(Box::new(Shared(Arc::clone(&author.store))), author.id(), later).unwrap();
    assert_eq!(author.queue.epoch(), Epoch(NOW.0 / 1_000));
    let row = author.store.get(&layout::meta("epoch")).unwrap().unwrap();
    assert_eq!(hex::encode(row), format!("{:016x}", NOW.0 / 1_000));
}

#[test]
fn a_staged_body_without_an_entry_goes_at_open() {
    let mut author = Node::new(1);
    let salt = Salt([9; 16]);
    author.queue.stage_body(&salt, 0, Bytes::from_static(b"chunk"));
    author.queue.commit().unwrap();
    assert!(author.store.get(&layout::own_chunk(&salt, 0)).unwrap().is_some());
    author.crash();
    assert_eq!(author.store.get(&layout::own_chunk(&salt, 0)).unwrap(), None);
}
